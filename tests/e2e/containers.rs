//! The static program in a root of its own with nothing beside it, and the image that is made of
//! it. `deploy/container/static` makes the program, and tests/run calls that before any test.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Running, scratch, write};

/// What an image may measure: the program is all that is in it.
const MOST_BYTES: u64 = 25_000_000;
/// Whom images run as.
const NOBODY: u32 = 65_532;

const DEFINITION: &str = r#"
    [service]
    name = "Example Mail"
    zone = "Europe/London"

    [[component]]
    id = "page"
    name = "Page"

    [[probe]]
    id = "page-there"
    component = "page"
    kind = "tcp"
    host = "127.0.0.1"
    port = PORT
    every = "60s"

    [[level]]
    id = "page-availability"
    component = "page"
    measure = "availability"
    target = "99.9%"
"#;

fn program() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("target/static/mailward");
    assert!(path.exists(), "no {}; deploy/container/static makes it", path.display());
    path
}

fn output(command: &mut Command) -> (Option<i32>, String) {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = [done.stdout, done.stderr].concat();
    (done.status.code(), String::from_utf8_lossy(&text).into_owned())
}

fn output_ok(command: &mut Command) -> String {
    let (code, said) = output(command);
    assert_eq!(code, Some(0), "{command:?}: {said}");
    said
}

/// The address that a reporter's line names.
fn address(running: &mut Running) -> String {
    let line = running.wait_line("reporter listens on http://");
    let (_, rest) = line.split_once("http://").expect("an address");
    rest.split('/').next().unwrap_or(rest).to_owned()
}

#[test]
fn in_an_empty_root_it_reports_probes_and_tells_its_health() {
    let home = scratch();
    let root = home.path().join("root");
    std::fs::create_dir_all(root.join("data")).unwrap();
    chown(root.join("data"), Some(NOBODY), Some(NOBODY)).unwrap();
    std::fs::copy(program(), root.join("mailward")).unwrap();
    write(&root, "probes.toml", &DEFINITION.replace("PORT", "9"));
    // the root cannot be written to, but for the data
    let script = "mount --bind \"$0\" \"$0\" && mount --bind \"$0/data\" \"$0/data\" && \
                  mount -o remount,bind,ro \"$0\" && exec chroot --userspec=65532:65532 \"$0\" \"$@\"";
    let inside = |args: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script]).arg(&root).args(args).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    };
    assert!(output_ok(&mut inside(&["/mailward", "--version"])).starts_with("mailward "));
    output_ok(&mut inside(&["/mailward", "check", "--config", "/probes.toml"]));
    let (code, said) = output(&mut inside(&["/mailward", "health", "http://127.0.0.1:9/"]));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("not well"), "{said}");
    let (code, said) = output(&mut inside(&["/mailward", "health", "http://192.0.2.1/"]));
    assert_eq!(code, Some(64), "{said}");

    let mut reporter = Running::of(inside(&[
        "/mailward",
        "reporter",
        "--config=/probes.toml",
        "--data=/data",
        "--listen=127.0.0.1:0",
    ]));
    let address = address(&mut reporter);
    let ready = format!("http://{address}/readyz");
    let said = output_ok(&mut inside(&["/mailward", "health", &ready]));
    assert_eq!(said, format!("{ready}: well\n"));
    let (_, port) = address.rsplit_once(':').unwrap();
    let probed = write(&root, "probes.toml", &DEFINITION.replace("PORT", port));
    assert!(probed.exists());
    let state = ["/mailward", "probe", "--config=/probes.toml"];
    let said = output_ok(inside(&state).env("XDG_STATE_HOME", "/data/state"));
    assert!(said.contains("up"), "{said}");
    assert!(reporter.stop().success());
}

/// What buildah keeps lies below one directory.
struct Buildah {
    home: tempfile::TempDir,
}

impl Buildah {
    fn new() -> Self {
        let home = scratch();
        let place = home.path().display();
        let text = format!(
            "[storage]\ndriver = \"vfs\"\nrunroot = \"{place}/run\"\ngraphroot = \"{place}/graph\"\n"
        );
        write(home.path(), "storage.conf", &text);
        Self { home }
    }

    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(env!("CARGO_MANIFEST_DIR"));
        command.env("CONTAINERS_STORAGE_CONF", self.home.path().join("storage.conf"));
        command
    }

    fn buildah(&self, args: &[&str]) -> String {
        let said = output_ok(&mut self.command("buildah", args));
        said.trim_end().to_owned()
    }
}

#[test]
fn the_image_holds_the_program_and_nothing_else() {
    let buildah = Buildah::new();
    let program = program();
    let program = program.to_str().unwrap();
    let tag = "localhost/mailward:test";
    output_ok(&mut buildah.command("deploy/container/build", &["--binary", program, "--tag", tag]));
    let images = buildah.buildah(&["inspect", "--type", "image", tag]);
    let image: serde_json::Value = serde_json::from_str(&images).unwrap();
    let docker = &image["Docker"];
    let config = &docker["config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/usr/bin/mailward"]));
    let asks =
        serde_json::json!(["CMD", "/usr/bin/mailward", "health", "http://127.0.0.1:7025/healthz"]);
    assert_eq!(config["Healthcheck"]["Test"], asks);
    assert!(config["Volumes"]["/var/lib/mailward"].is_object());

    let container = buildah.buildah(&["from", tag]);
    let mounted = PathBuf::from(buildah.buildah(&["mount", &container]));
    let mut files = Vec::new();
    let mut folders = vec![mounted.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (kind, path) = (entry.file_type().unwrap(), entry.path());
            match kind.is_dir() {
                true => folders.push(path),
                false => files.push(path.strip_prefix(&mounted).unwrap().to_owned()),
            }
        }
    }
    assert_eq!(files, [Path::new("usr/bin/mailward")]);
    let bytes = std::fs::metadata(mounted.join("usr/bin/mailward")).unwrap().len();
    assert!(bytes <= MOST_BYTES, "the image holds {bytes} bytes, more than {MOST_BYTES}");
    buildah.buildah(&["umount", &container]);

    let definition = write(buildah.home.path(), "probes.toml", &DEFINITION.replace("PORT", "9"));
    let volume = format!("{}:/etc/mailward/probes.toml:ro", definition.display());
    let run = |args: &[&str]| {
        // buildah leaves what it started behind when it is killed; a namespace does not
        let before = ["--pid", "--fork", "--kill-child", "--mount-proc", "buildah", "run"];
        let how = ["--isolation", "chroot", "--volume", &volume, &container, "--"];
        buildah.command("unshare", &[&before, &how, args].concat())
    };
    let mut reporter = Running::of(run(&[
        "/usr/bin/mailward",
        "reporter",
        "--config=/etc/mailward/probes.toml",
        "--data=/var/lib/mailward",
        "--listen=127.0.0.1:0",
    ]));
    let ready = format!("http://{}/readyz", address(&mut reporter));
    let said = output_ok(&mut run(&["/usr/bin/mailward", "health", &ready]));
    assert!(said.contains(": well"), "{said}");
    reporter.kill();
    buildah.buildah(&["rm", &container]);
    buildah.buildah(&["rmi", tag]);
}
