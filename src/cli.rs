//! The command line: names, defaults and help. What each command does is in `command/`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

/// Watches a mail service from where its users are, and reports its service levels so that
/// supplier and customer can both recompute them.
#[derive(Debug, Parser)]
#[command(
    name = "mailward",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = "Start with:\n  mailward up --demo          watch a mail service that fails on a script\n  mailward init example.org   write probes.toml for a domain\n  mailward check              validate probes.toml\n  mailward probe              run every probe once, now\n\nExit codes: 0 ok, 1 finding, 2 down, 64 bad usage or definition, 70 internal, 74 I/O."
)]
pub(crate) struct Cli {
    /// How log lines are written to standard error
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// Log less; twice for errors only
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) quiet: u8,
    /// Log more; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run agent and reporter in one process
    #[command(
        after_help = "Examples:\n  mailward up\n  mailward up --config /etc/mailward/probes.toml --data /var/lib/mailward\n  mailward up --demo"
    )]
    Up(Up),
    /// Run probes, keep what they saw, and deliver it to a reporter
    #[command(
        after_help = "Example:\n  mailward agent --config probes.toml --reporter https://status.example.net --data /var/lib/mailward"
    )]
    Agent(Agent),
    /// Take evidence in, store it, show the page, and publish monthly reports
    #[command(
        after_help = "Example:\n  mailward reporter --config probes.toml --data /var/lib/mailward --listen 0.0.0.0:7025"
    )]
    Reporter(Reporter),
    /// Run probes once, now, and print what they saw
    #[command(
        after_help = "Examples:\n  mailward probe\n  mailward probe owa-logon smtp-in --json\n\nExit code: 0 all up, 1 any degraded or unknown, 2 any down."
    )]
    Probe(Probe),
    /// Validate the definition; every fault as FILE:LINE:COL: message
    #[command(after_help = "Example:\n  mailward check --config probes.toml")]
    Check(Check),
    /// Look a domain up, write a definition with the checks that need no account, and run each once
    #[command(
        after_help = "Examples:\n  mailward init example.org\n  mailward init example.org --out /etc/mailward/probes.toml --zone Europe/London\n\nA file that is there is not overwritten. Exit code: 0 once the file is written, whatever the\nchecks say; 64 no such domain, or one that takes no mail; 74 the DNS does not answer."
    )]
    Init(Init),
    /// Read evidence records (JSON lines), or a service desk's export (CSV), into the store
    #[command(
        after_help = "Examples:\n  mailward import october.ndjson --data /var/lib/mailward\n  zstdcat october.ndjson.zst | mailward import -\n  mailward import incidents.csv --config probes.toml --data /var/lib/mailward\n  mailward import calls.csv --as counts\n\nA file is taken whole or not at all. Importing it twice changes nothing. [tickets.csv] and\n[counts.csv] in the definition say what the columns of a CSV file are."
    )]
    Import(Import),
    /// Write the evidence in the store as JSON lines
    #[command(
        after_help = "Example:\n  mailward export --data /var/lib/mailward --from 2026-10-01T00:00:00Z --to 2026-11-01T00:00:00Z > october.ndjson"
    )]
    Export(Export),
    /// Write all that a reporter keeps into one file, while it runs
    #[command(
        after_help = "Examples:\n  mailward backup --data /var/lib/mailward --out /var/backups/mailward.tar.zst\n  mailward backup --data /var/lib/mailward --out /var/backups/mailward --keep 14\n\nThe file holds the store and the key that signs editions; keep it as secret as a password.\nExit code: 0 it is there, whole and checked; 64 something of that name is there already;\n74 it could not be made, and nothing is left of it."
    )]
    Backup(Backup),
    /// Put a backup into an empty data directory, once it has passed every check
    #[command(
        after_help = "Example:\n  mailward restore /var/backups/mailward.tar.zst --data /var/lib/mailward\n\nFiles get the owner of the directory. Exit code: 0 restored; 64 the directory is not empty;\n74 the backup is damaged or of a newer version, and nothing of it is there."
    )]
    Restore(Restore),
    /// Compute a month's report
    #[command(
        after_help = "Examples:\n  mailward report --month 2026-10 --out october\n  mailward report --month 2026-10 --explain owa-availability   every interval behind a figure\n  mailward report --month 2026-10 --what-if                    would it be met under other rules?\n  mailward report --month 2026-10 --what-if --formats json --out october"
    )]
    Report(Report),
    /// Freeze a month's report as an edition that never changes
    #[command(
        after_help = "Examples:\n  mailward publish --month 2026-10 --by 'A. Manager'\n  mailward publish --month 2026-10 --by 'A. Manager' --reason 'evidence of leeds-1 arrived late'"
    )]
    Publish(Publish),
    /// Check an edition's files against its signature, and recompute its figures
    #[command(
        after_help = "Examples:\n  mailward verify october                       a directory of `mailward editions export`\n  mailward verify october --key supplier.pem    by the key that the supplier made known\n  mailward verify october/report.pdf            a part, beside its manifest\n\nExit code: 0 nothing was altered, 1 something was, or could not be shown not to be."
    )]
    Verify(Verify),
    /// List published editions, or write one as files that anybody can check
    #[command(
        subcommand,
        after_help = "Examples:\n  mailward editions list\n  mailward editions export 2026-10 --out october"
    )]
    Editions(Editions),
    /// Make the key that signs editions, or show its public half
    #[command(
        subcommand,
        after_help = "Examples:\n  mailward keys show\n  mailward keys new --out /etc/mailward/signing-key.pem"
    )]
    Keys(Keys),
    /// What became of the letters that bring published reports
    #[command(
        subcommand,
        after_help = "Examples:\n  mailward distribution list\n  mailward distribution again edition/2026-10/1 --to board@example.org"
    )]
    Distribution(Distribution),
    /// What the channels of [[notify]] have told, and a test message over one of them
    #[command(
        subcommand,
        after_help = "Examples:\n  mailward notifications list\n  mailward notifications test on-call           sends one now, and says what the other side answered\n  mailward notifications resend notify/chat/7"
    )]
    Notifications(Notifications),
    /// List runs that failed, and show what they met
    #[command(
        after_help = "Examples:\n  mailward failures                                  the last 20 of the last week\n  mailward failures --component owa --last 100\n  mailward failures --probe owa-logon 2026-10-05T08:05:30Z   what that run met\n  mailward failures --from 2026-10-05T00:00:00Z --to 2026-10-06T00:00:00Z --json\n\nWhat a run met is for operators: it may hold names of hosts and answers of servers."
    )]
    Failures(Failures),
    /// List the accounts that checks sign in with, and say that one may be tried again
    #[command(
        subcommand,
        after_help = "Examples:\n  mailward credentials list\n  mailward credentials clear owa-probe --by 'A. Manager'"
    )]
    Credentials(Credentials),
    /// Enrol agents, and change or end their enrolment
    #[command(subcommand, after_help = "Example:\n  mailward agents add leeds-1 --site internet")]
    Agents(Agents),
    /// Ask a reporter or an agent on this machine whether it is well
    #[command(
        after_help = "Examples:\n  mailward health                                  a reporter\n  mailward health http://127.0.0.1:7026/healthz    an agent\n\nExit code: 0 it is, 1 it is not, or does not answer. Made for containers, which hold no other\nprogram to ask with."
    )]
    Health {
        /// What is asked; on this machine only, whatever its certificate says
        #[arg(value_name = "URL", default_value = "http://127.0.0.1:7025/readyz")]
        url: String,
    },
    /// Print the JSON Schema of probes.toml
    #[command(after_help = "Example:\n  mailward schema > probes.schema.json")]
    Schema,
    /// Print a completion script for a shell
    #[command(
        after_help = "Example:\n  mailward completions bash > /etc/bash_completion.d/mailward"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one page a command into a directory
    #[command(
        after_help = "Examples:\n  mailward man | man -l -\n  mailward man --out /usr/share/man/man1"
    )]
    Man {
        /// Directory for mailward.1, mailward-up.1, …
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

/// Where the definition is.
#[derive(Clone, Debug, Args)]
pub(crate) struct ConfigArg {
    /// The definition: what is watched and what was promised
    #[arg(long, value_name = "FILE", default_value = "probes.toml")]
    pub(crate) config: PathBuf,
}

/// Where the store is.
#[derive(Clone, Debug, Args)]
pub(crate) struct DataArg {
    /// The directory with the store and the outbox
    #[arg(long, value_name = "DIR", default_value = "mailward-data")]
    pub(crate) data: PathBuf,
}

/// The store alone; the definition is taken too, so that one set of options suits every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct StoreArg {
    /// The directory with the store
    #[arg(long, value_name = "DIR", default_value = "mailward-data")]
    pub(crate) data: PathBuf,
    /// Accepted like everywhere; this command has no need of it
    #[arg(long, value_name = "FILE", default_value = "probes.toml")]
    pub(crate) config: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// The directory with the store and the outbox [default: mailward-data, or
    /// mailward-demo-data with --demo]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Address of the page and of ingest
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7025")]
    pub(crate) listen: SocketAddr,
    /// Watch a mail service on loopback that fails on a script, with three months of history
    #[arg(long, conflicts_with = "config")]
    pub(crate) demo: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Agent {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// Address of the reporter
    #[arg(long, value_name = "URL")]
    pub(crate) reporter: String,
    #[command(flatten)]
    pub(crate) data: DataArg,
    /// Address of the agent's own /metrics and /healthz
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7026")]
    pub(crate) listen: SocketAddr,
}

#[derive(Debug, Args)]
pub(crate) struct Reporter {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    #[command(flatten)]
    pub(crate) data: DataArg,
    /// Address of the page and of ingest
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7025")]
    pub(crate) listen: SocketAddr,
}

#[derive(Debug, Args)]
pub(crate) struct Probe {
    /// Probes to run; all if none is named
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// The directory of the agent beside which this runs: what it remembers of accounts is
    /// obeyed and kept [default: mailward-data if it is there, else a directory of the user's own
    /// for this definition]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Print outcomes as evidence records, one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// Judge quorums by the agents enrolled in this store as well
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The domain, as in mail addresses
    #[arg(value_name = "DOMAIN")]
    pub(crate) domain: String,
    /// The definition to write
    #[arg(long, value_name = "FILE", default_value = "probes.toml")]
    pub(crate) out: PathBuf,
    /// The time zone of the service [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    pub(crate) zone: Option<String>,
    /// Ask this resolver, IP or IP:PORT, instead of the system's; written down as well
    #[arg(long, value_name = "ADDR")]
    pub(crate) resolver: Option<String>,
    /// PEM file of authorities to trust beside the system's; written down as well
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: Option<PathBuf>,
    /// File of DNSKEY records to judge DNSSEC by, for networks with a root of their own
    #[arg(long, value_name = "FILE")]
    pub(crate) trust_anchors: Option<PathBuf>,
    /// A DKIM selector in use, beside the usual ones that are tried; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) dkim_selector: Vec<String>,
    /// Where mail servers listen
    #[arg(long, value_name = "PORT", default_value_t = 25, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) mx_port: u16,
    /// Where web servers listen
    #[arg(long, value_name = "PORT", default_value_t = 443, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) https_port: u16,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Files of JSON lines, plain or zstd, or of CSV (by their name); `-` for standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Read the files as CSV with such rows; told by the first line where absent
    #[arg(long = "as", value_enum, value_name = "ROWS")]
    pub(crate) rows: Option<CsvRows>,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    #[command(flatten)]
    pub(crate) data: DataArg,
}

/// What the rows of a CSV file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CsvRows {
    /// Tickets, by [tickets.csv] of the definition
    Tickets,
    /// Counts, by [counts.csv]
    Counts,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) data: StoreArg,
    /// Outcomes due from this instant on
    #[arg(long, value_name = "INSTANT")]
    pub(crate) from: Option<String>,
    /// Outcomes due before this instant
    #[arg(long, value_name = "INSTANT")]
    pub(crate) to: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file, which must not be there yet; or a directory, in which it gets the instant as its
    /// name
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) out: PathBuf,
    /// Leave the key that signs editions out
    #[arg(long)]
    pub(crate) without_keys: bool,
    /// Keep the newest N backups of the directory, and remove older ones
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) keep: Option<u32>,
    #[command(flatten)]
    pub(crate) data: StoreArg,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// What `mailward backup` wrote
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) data: StoreArg,
}

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The month, as 2026-10
    #[arg(long, value_name = "MONTH")]
    pub(crate) month: String,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    #[command(flatten)]
    pub(crate) data: DataArg,
    /// Directory for report.pdf, report.json, report.html and the CSV files [default: .]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// What to write [default: pdf,json,csv; with --explain or --what-if nothing, unless this or
    /// --out is given]
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) formats: Option<Vec<Format>>,
    /// From what the figures are made: what the store keeps for good, or every raw outcome anew,
    /// which takes longer and must give the same
    #[arg(long, value_enum, default_value_t = From::Kept)]
    pub(crate) from: From,
    /// Print what made the figure of this level: every interval, the rule, the records behind it
    #[arg(long, value_name = "LEVEL", conflicts_with = "what_if")]
    pub(crate) explain: Option<String>,
    /// Print what the levels would be under other confirm, quorum and unknown, and without each
    /// exclusion that counts; with the format json, what-if.json too
    #[arg(long)]
    pub(crate) what_if: bool,
    /// Judge as if it were this instant
    #[arg(long, value_name = "INSTANT")]
    pub(crate) now: Option<String>,
}

/// The two ways to the same figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum From {
    /// Segments and counters
    Kept,
    /// Raw outcomes, one by one
    Raw,
}

/// A file a report can be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// report.pdf
    Pdf,
    /// report.json
    Json,
    /// outages.csv, daily.csv, levels.csv and months.csv
    Csv,
    /// report.html
    Html,
}

#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// The month, as 2026-10
    #[arg(long, value_name = "MONTH")]
    pub(crate) month: String,
    /// Who publishes it
    #[arg(long, value_name = "NAME")]
    pub(crate) by: String,
    /// Why an edition that is already published is replaced
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    #[command(flatten)]
    pub(crate) data: DataArg,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// A directory with an edition's files, or one of them beside the others
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// The public key (PEM) that the signature must hold under, from the service's own page,
    /// /performance/keys.pem; without it, who signed is not verified, which is said and is no
    /// finding: the exit code stays 0
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Editions {
    /// List every edition of every month
    List {
        #[command(flatten)]
        data: StoreArg,
    },
    /// Write an edition's files, its signature and its evidence into an empty directory
    Export {
        /// The month, as 2026-10
        month: String,
        /// Which edition; the latest if not given
        #[arg(long, value_name = "N")]
        edition: Option<u32>,
        /// The directory
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        data: StoreArg,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a new key in a file that only its owner may read; prints its public half
    New {
        /// The file; one that is there is never overwritten
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Show the public keys: the one that signs now, and those that signed before
    Show {
        #[command(flatten)]
        config: ConfigArg,
        #[command(flatten)]
        data: DataArg,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Distribution {
    /// List every letter and what became of it; exit code 1 where one did not surely arrive
    List {
        #[command(flatten)]
        data: StoreArg,
    },
    /// Send a letter again that bounced, was given up, or of which nobody knows
    Again {
        /// What it is about, as `list` has it: edition/2026-10/1
        about: String,
        /// To whom
        #[arg(long, value_name = "ADDRESS")]
        to: String,
        #[command(flatten)]
        data: StoreArg,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Notifications {
    /// List every message of the last 90 days and what became of it; exit code 1 where one failed
    List {
        #[command(flatten)]
        data: StoreArg,
    },
    /// Send a test message now, and say what waits; exit code 1 where it was not taken
    Test {
        /// The id of the channel
        channel: String,
        #[command(flatten)]
        config: ConfigArg,
        #[command(flatten)]
        data: DataArg,
    },
    /// Send a message again that was refused or given up
    Resend {
        /// Which, as `list` has it: notify/on-call/7
        about: String,
        /// To this recipient only
        #[arg(long, value_name = "ADDRESS")]
        to: Option<String>,
        #[command(flatten)]
        data: StoreArg,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Failures {
    /// Show in full the runs that were due in the second that this instant lies in
    #[arg(value_name = "INSTANT")]
    pub(crate) due: Option<String>,
    /// Runs of this probe
    #[arg(long, value_name = "ID")]
    pub(crate) probe: Option<String>,
    /// Runs of the probes of this component
    #[arg(long, value_name = "ID")]
    pub(crate) component: Option<String>,
    /// Runs due from this instant on [default: a week ago]
    #[arg(long, value_name = "INSTANT")]
    pub(crate) from: Option<String>,
    /// Runs due before this instant
    #[arg(long, value_name = "INSTANT")]
    pub(crate) to: Option<String>,
    /// The last so many of them
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) last: usize,
    /// Show each in full
    #[arg(long)]
    pub(crate) show: bool,
    /// Print them as evidence records, one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    #[command(flatten)]
    pub(crate) data: DataArg,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Credentials {
    /// List the accounts that agents asked for, and how they stand
    List {
        #[command(flatten)]
        data: StoreArg,
    },
    /// Say that an account may be tried again, once what was wrong with it is mended
    Clear {
        /// The credential's id
        id: String,
        /// Who says so
        #[arg(long, value_name = "NAME", default_value = "an operator")]
        by: String,
        #[command(flatten)]
        data: StoreArg,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Agents {
    /// Enrol an agent; prints its token once
    Add {
        /// The agent's name
        name: String,
        /// Where it stands
        #[arg(long, default_value = "")]
        site: String,
        #[command(flatten)]
        data: StoreArg,
    },
    /// List enrolled agents
    List {
        #[command(flatten)]
        data: StoreArg,
    },
    /// Give an agent a new token; prints it once; the old one stays good until it is used, a day at most
    Rotate {
        /// The agent's name
        name: String,
        #[command(flatten)]
        data: StoreArg,
    },
    /// Refuse an agent from now on
    Revoke {
        /// The agent's name
        name: String,
        #[command(flatten)]
        data: StoreArg,
    },
    /// End an agent's roster: its probes are no longer due
    Retire {
        /// The agent's name
        name: String,
        /// From this instant on; now if not given
        #[arg(long, value_name = "INSTANT")]
        at: Option<String>,
        #[command(flatten)]
        data: StoreArg,
    },
}
