//! A brand from a definition to what readers hold: the page, the signed edition, the PDF before
//! checkers that are not ours; and a logo that is none, told alike by every command.

use std::path::{Path, PathBuf};

use mailward_reporter::brand::{Brand, read_logo};
use mailward_reporter::language::english;
use mailward_reporter::render::pdf;
use mailward_reporter::report::model::Report;

use super::pdf::found_well;
use super::support::{Running, free_port, get, run, run_ok, scratch, wait_for, write};

const EVIDENCE: &str = concat!(
    r#"{"v":1,"kind":"roster","agent":"a","site":"","at":"2019-02-01T00:00:00Z","probes":[{"id":"page","every_s":3600}]}"#,
    "\n",
    r#"{"v":1,"kind":"outcome","agent":"a","probe":"page","due":"2019-02-01T00:00:00Z","attempt":0,"next_due_s":3600,"took_ms":12.5,"verdict":"up","reason":null,"phases":{},"facts":{}}"#,
    "\n",
);

fn definition(branding: &str) -> String {
    format!(
        "[service]\nname = \"Post\"\nzone = \"UTC\"\n[[component]]\nid = \"web\"\n[[probe]]\n\
         id = \"page\"\ncomponent = \"web\"\nkind = \"http\"\nurl = \"http://192.0.2.1/\"\n\
         every = \"1h\"\n[report]\npublish = \"manual\"\n{branding}"
    )
}

const BRANDING: &str = "[branding]\norganisation = \"Fernhill Health Informatics\"\n\
    logo = \"art/LOGO\"\ncolour = \"#1f3a6e\"\naccent = \"#00857c\"\n\
    footer = \"Questions: service.desk@example.org\"\nurl = \"https://www.example.org/\"\n";

fn art(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brand").join(name)
}

/// A directory with a definition, the logo of this name beside it, and a month's evidence.
struct Place(tempfile::TempDir);

impl Place {
    fn new(logo: &str) -> Self {
        let place = Self(scratch());
        place.define(&BRANDING.replace("LOGO", logo));
        std::fs::create_dir_all(place.path("art")).expect("make a directory");
        std::fs::copy(art(logo), place.path("art").join(logo)).expect("copy the logo");
        write(place.0.path(), "evidence.ndjson", EVIDENCE);
        let (file, data) = (place.text("evidence.ndjson"), place.text("data"));
        run_ok(["import", &file, "--data", &data]);
        place
    }

    fn define(&self, branding: &str) {
        write(self.0.path(), "probes.toml", &definition(branding));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn args(&self, args: &[&str]) -> Vec<String> {
        let own = ["--config".to_owned(), self.text("probes.toml")];
        let data = ["--data".to_owned(), self.text("data")];
        args.iter().map(ToString::to_string).chain(own).chain(data).collect()
    }
}

#[test]
fn an_edition_keeps_the_face_it_was_published_with() {
    let place = Place::new("logo.svg");
    let publish = ["publish", "--month", "2019-02", "--by", "A. Manager"];
    run_ok(place.args(&publish));
    // afterwards the service is somebody else's, and the logo is gone
    std::fs::remove_file(place.path("art/logo.svg")).expect("delete the logo");
    place.define("");
    run_ok(place.args(&[&publish[..], &["--reason", "a new owner"]].concat()));
    for (edition, organisation) in [("1", Some("Fernhill Health Informatics")), ("2", None)] {
        let out = place.text(&format!("edition-{edition}"));
        run_ok(place.args(&["editions", "export", "2019-02", "--edition", edition, "--out", &out]));
        let said = run_ok(["verify", &out]);
        assert!(!said.contains("FAILED"), "{said}");
        let json = std::fs::read_to_string(Path::new(&out).join("report.json")).expect("a report");
        let report: Report = serde_json::from_str(&json).expect("a report");
        let brand = report.brand.as_ref();
        assert_eq!(brand.map(|brand| brand.organisation.as_str()), organisation);
        assert!(brand.is_none_or(|brand| brand.logo.is_some()));
        let published = std::fs::read(Path::new(&out).join("report.pdf")).expect("a PDF");
        assert!(
            pdf::render(&report, english()).expect("a PDF") == published,
            "drawn again from report.json"
        );
    }
}

#[test]
fn every_command_says_alike_what_is_wrong_with_a_logo() {
    let place = Place::new("logo.png");
    let check = |because: &str| {
        let logo = place.text("art/logo.png");
        let line =
            format!("{}:16:8: logo: {}", place.text("probes.toml"), because.replace("LOGO", &logo));
        let listen = free_port().to_string();
        for args in [
            &["check"][..],
            &["report", "--month", "2019-02", "--out", &place.text("out")],
            &["publish", "--month", "2019-02", "--by", "A. Manager"],
            &["reporter", "--listen", &listen],
            &["up", "--listen", &listen],
        ] {
            let output = run(place.args(args));
            let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
            assert_eq!(output.status.code(), Some(64), "{args:?}: {said:?}");
            let told = said.iter().any(|text| text.lines().any(|said| said == line));
            assert!(told, "{args:?}: lacks {line:?}: {said:?}");
        }
        assert!(!place.path("out").exists(), "nothing is written");
    };
    let put = |bytes: &[u8]| std::fs::write(place.path("art/logo.png"), bytes).expect("write");
    put(b"no image at all");
    check("LOGO: expected a PNG or an SVG; got a text that is no SVG");
    put(b"<svg xmlns='http://www.w3.org/2000/svg'><image href='http://192.0.2.1/x.png'/></svg>");
    check(
        "LOGO: expected shapes in plain colours, lines and gradients; got an image; turn it into \
         shapes when saving the logo",
    );
    let huge = std::fs::File::create(place.path("art/logo.png")).expect("make a file");
    huge.set_len(100 << 20).expect("make it large");
    check("LOGO: expected at most 2097152 bytes (2 MiB); got 104857600");
    std::fs::remove_file(place.path("art/logo.png")).expect("delete the logo");
    check("read LOGO: No such file or directory (os error 2)");
    // an agent shows no logo, and needs none
    let probe = run(["probe", "page", "--config", &place.text("probes.toml"), "--json"]);
    assert_ne!(probe.status.code(), Some(64), "{probe:?}");
}

#[test]
fn pages_bear_the_brand_also_once_its_files_are_gone() {
    let place = Place::new("logo.svg");
    let listen = free_port().to_string();
    let mut reporter = Running::start(place.args(&["reporter", "--listen", &listen]));
    reporter.wait_line("reporter listens on");
    std::fs::remove_file(place.path("art/logo.svg")).expect("delete the logo");
    let base = format!("http://{listen}");
    let page = wait_for("the page", || {
        let (status, page) = get(&format!("{base}/"));
        (status == 200).then_some(page)
    });
    for expected in [
        "alt=\"Logo of Fernhill Health Informatics\"",
        "<a href=\"https://www.example.org/\">Fernhill Health Informatics</a> · Questions: service.desk",
    ] {
        assert!(page.contains(expected), "lacks {expected:?}:\n{page}");
    }
    let address = |before: &str| {
        let rest = page.split(before).nth(1).expect("an address");
        format!("{base}{}", rest.split('"').next().expect("its end"))
    };
    let (status, logo) = get(&address("<img src=\""));
    assert_eq!(status, 200);
    assert!(logo.starts_with("<svg xmlns=") && !logo.contains("Fernhill"), "{logo}");
    let (status, style) = get(&address("<link rel=\"stylesheet\" href=\""));
    assert_eq!(status, 200);
    assert!(style.contains("--bar:#1f3a6e") && style.contains("--accent:#00857c"), "{style}");
    reporter.kill();
}

/// The reference month, as it looks with a logo.
fn branded(logo: &str) -> Report {
    let place = Place::new(logo);
    let parsed = mailward_catalogue::load(&place.path("probes.toml")).expect("a definition");
    let mut branding = parsed.catalogue.and_then(|all| all.branding).expect("a brand");
    read_logo(&mut branding).expect("a logo");
    let mut report = super::pdf::reference();
    report.brand = Some(std::sync::Arc::new(Brand::of(&branding)));
    report
}

#[test]
fn checkers_that_are_not_ours_find_nothing_in_a_branded_report() {
    let pdfs = ["logo.svg", "logo.png"].map(|logo| {
        let bytes = pdf::render(&branded(logo), english()).expect("a PDF");
        assert!(bytes.len() < 100_000, "{logo}: {} bytes", bytes.len());
        (format!("{logo}.pdf"), bytes)
    });
    found_well(scratch().path(), pdfs);
}
