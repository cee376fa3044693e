//! The sections of probes.toml and their keys: the table from which reading, advice, the JSON
//! schema and the reference follow. The keys of probe kinds stand in `probe/kinds`.

use crate::branding;
use crate::desk;
use crate::distribution;
use crate::key::{Key, Shape};
use crate::notify;

/// A section of probes.toml.
#[derive(Debug)]
pub struct Section {
    /// Its name: `service`, `probe`, …
    pub name: &'static str,
    /// How it is written.
    pub form: Form,
    /// One line on what it is for.
    pub about: &'static str,
    /// Its keys; those of a probe kind or a measure come on top.
    pub keys: &'static [Key],
}

/// How a section is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `[name]`, once.
    Table,
    /// `[[name]]`, as often as needed.
    List,
    /// `[name.NAME]`, once for each name.
    Named,
    /// `[name.this]`, once.
    Below(&'static str),
}

impl Section {
    /// The section as a person writes it: `[service]`, `[[probe]]`, `[hours.NAME]`.
    #[must_use]
    pub fn written(&self) -> String {
        match self.form {
            Form::Table => format!("[{}]", self.name),
            Form::List => format!("[[{}]]", self.name),
            Form::Named => format!("[{}.NAME]", self.name),
            Form::Below(below) => format!("[{}.{below}]", self.name),
        }
    }
}

/// A measure of `[[level]]` and its own keys.
#[derive(Debug)]
pub struct MeasureKeys {
    /// The word in probes.toml.
    pub name: &'static str,
    /// One line on what it measures.
    pub about: &'static str,
    /// Its own keys.
    pub keys: &'static [Key],
    /// Keys of other measures that have no meaning here, and why.
    pub never: &'static [(&'static str, &'static str)],
}

/// Every section, in the order of the reference.
pub const SECTIONS: &[&Section] = &[
    &SERVICE,
    &AGENT,
    &REPORTER,
    &COMPONENT,
    &PROBE,
    &CREDENTIAL,
    &SINK,
    &HOURS,
    &LEVEL,
    &MAINTENANCE,
    &REPORT,
    &branding::BRANDING,
    &distribution::DISTRIBUTION,
    &notify::NOTIFY,
    &desk::TICKETS,
    &desk::COUNTS,
];

/// `[service]`
pub static SERVICE: Section = Section {
    name: "service",
    form: Form::Table,
    about: "what is watched",
    keys: &[
        Key::required("name", Shape::Text, "its name, as readers know it"),
        Key::required("zone", Shape::Zone, "months, days and hours are reckoned in it"),
    ],
};

/// `[agent]`
pub static AGENT: Section = Section {
    name: "agent",
    form: Form::Table,
    about: "the agent on this machine; may stand in an agent.toml beside this file",
    keys: &[
        Key::required("name", Shape::Label, "its name; its evidence bears it"),
        Key::optional("site", Shape::Label, "where it stands, such as internet"),
        Key::optional("token", Shape::Secret, "what it delivers with; `mailward up` needs none"),
        Key::optional(
            "references",
            Shape::Targets,
            "targets for its own connectivity: if all are \
            out of reach, the fault is its own, and runs are unknown (isolated)",
        ),
        Key::optional(
            "references_smtp",
            Shape::Targets,
            "mail servers that anybody may connect to: if all are out of reach on port 25, runs \
            that could not connect there are unknown (egress_blocked)",
        )
        .or("[\"gmail-smtp-in.l.google.com:25\", \
            \"outlook-com.olc.protection.outlook.com:25\", \"mx01.mail.icloud.com:25\"]"),
        Key::optional("max_concurrent", Shape::Integer(1, 10_000), "the most runs at once")
            .or("64"),
        Key::optional(
            "max_per_host",
            Shape::Integer(1, 1000),
            "the most runs at once towards \
            one host",
        )
        .or("8"),
        Key::optional(
            "trust",
            Shape::Path,
            "PEM file of authorities that probes trust beside \
            the system's",
        ),
        Key::optional("resolver", Shape::Resolver, "whom to ask instead of the system's resolver"),
        Key::optional(
            "outbox_max_bytes",
            Shape::Size,
            "largest size of the outbox; when it \
            overflows, the oldest go first",
        )
        .or("\"1 GiB\""),
        Key::optional("outbox_max_age", Shape::Period, "longest stay in the outbox").or("\"30d\""),
    ],
};

/// `[reporter]`
pub static REPORTER: Section = Section {
    name: "reporter",
    form: Form::Table,
    about: "settings of the reporter",
    keys: &[
        Key::optional(
            "metrics_allow",
            Shape::Networks,
            "networks beside loopback that may read \
            /metrics",
        )
        .or("[]"),
        Key::optional(
            "raw_retention",
            Shape::Period,
            "how long single outcomes are kept; what \
            reports need is kept for ever",
        )
        .or("\"400d\""),
        Key::optional(
            "trusted_proxies",
            Shape::Networks,
            "networks of proxies that are believed when they say whose request they hand on",
        )
        .or("[]"),
        Key::optional(
            "tls",
            Shape::Group(REPORTER_TLS),
            "its own certificate; plain HTTP where absent",
        ),
    ],
};

/// The keys of `[reporter.tls]`.
const REPORTER_TLS: &[Key] = &[
    Key::required("certificate", Shape::Path, "PEM file of the certificate and its chain"),
    Key::required("key", Shape::Secret, "where the certificate's private key is kept, as PEM"),
];

/// `[[component]]`
pub static COMPONENT: Section = Section {
    name: "component",
    form: Form::List,
    about: "a row of the page and of the report, in this order",
    keys: &[
        Key::required("id", Shape::Id, "its id"),
        Key::optional("name", Shape::Text, "its name, as readers know it; its id where absent"),
        Key::optional("group", Shape::Text, "the heading it stands under"),
        Key::optional(
            "rule",
            Shape::Need(&["any", "all"]),
            "how many of its probes must be \
            down for it to be down",
        )
        .or("\"any\""),
        Key::optional(
            "quorum",
            Shape::Need(&["majority"]),
            "how many agents of a site must \
            agree; \"majority\" is half, rounded down, plus one",
        )
        .or("\"majority\""),
        Key::optional(
            "site_rule",
            Shape::Need(&["any", "all"]),
            "at how many sites a probe must \
            be down to count as down",
        )
        .or("\"any\""),
        Key::optional("severity", Shape::Text, "severity of the incident that an outage opens")
            .or("\"2\""),
        Key::optional(
            "users",
            Shape::Integer(0, 100_000_000_000),
            "users it serves; weighs \
            service-wide figures",
        ),
        Key::optional("since", Shape::Date, "no service hours before this local date"),
        Key::optional("description", Shape::Text, "a sentence for readers"),
    ],
};

/// `[[probe]]`
pub static PROBE: Section = Section {
    name: "probe",
    form: Form::List,
    about: "a check that agents run",
    keys: &[
        Key::required("id", Shape::Id, "its id; evidence bears it"),
        Key::required("component", Shape::Id, "the component it speaks for"),
        Key::required("kind", Shape::Text, "what it does"),
        Key::optional("every", Shape::Seconds, "interval between scheduled runs; this or cron"),
        Key::optional(
            "cron",
            Shape::Cron,
            "runs by the calendar, in the service's zone; \
            six fields, the first is seconds (five start at the minute; a seventh is the year)",
        ),
        Key::optional(
            "retry_every",
            Shape::Period,
            "interval after a failure and while down, at \
            least 1s; a quarter of every where absent, 60s with cron",
        ),
        Key::optional(
            "confirm",
            Shape::Integer(1, 100),
            "failures in a row before it counts; \
            backdated to the first",
        )
        .or("2"),
        Key::optional(
            "timeout",
            Shape::Period,
            "deadline of one run; 10s where absent, 30s for \
            owa and eas, 5m for mail",
        ),
        Key::optional("slow", Shape::Period, "slower than this is degraded"),
        Key::optional(
            "effect",
            Shape::Word(&["availability", "advisory"]),
            "whether a failure \
            is downtime; availability where absent, advisory for dnsbl, domain and spoof",
        ),
        Key::optional("sites", Shape::Labels, "the sites whose agents run it; all where absent"),
        Key::optional(
            "credential",
            Shape::Ids,
            "the account it logs on with; of two, the second \
            is tried in the same run when the first is rejected",
        ),
    ],
};

/// `[[credential]]`
pub static CREDENTIAL: Section = Section {
    name: "credential",
    form: Form::List,
    about: "an account that probes log on with; its secrets never stand in this file",
    keys: &[
        Key::required("id", Shape::Id, "its id"),
        Key::required("username", Shape::Text, "the account's name"),
        Key::optional(
            "password",
            Shape::Secret,
            "where its password is kept; this, oauth or a certificate",
        ),
        Key::optional(
            "oauth",
            Shape::Group(OAUTH),
            "how access tokens are fetched, for kinds that log on with one",
        ),
        Key::optional(
            "certificate",
            Shape::Secret,
            "where its client certificate and chain are kept, as PEM; for kinds that speak HTTP",
        ),
        Key::optional("key", Shape::Secret, "where the certificate's private key is kept, as PEM"),
        Key::optional("shared", Shape::Bool, "whether more than one agent may use it").or("false"),
    ],
};

/// The keys of `oauth`.
const OAUTH: &[Key] = &[
    Key::required("token_url", Shape::Url, "the token endpoint; https"),
    Key::required("client_id", Shape::Text, "the client's id"),
    Key::optional("client_secret", Shape::Secret, "where the client's secret is kept"),
    Key::optional("refresh_token", Shape::Secret, "where the refresh token is kept; this or grant"),
    Key::optional(
        "grant",
        Shape::Word(&["client_credentials"]),
        "tokens for the client itself, without a refresh token",
    ),
    Key::optional("scope", Shape::Text, "what tokens are asked for"),
];

/// `[[sink]]`
pub static SINK: Section = Section {
    name: "sink",
    form: Form::List,
    about: "where an agent receives mail itself",
    keys: &[
        Key::required("id", Shape::Id, "its id"),
        Key::required("listen", Shape::Listen, "the address it listens on"),
        Key::required("hostname", Shape::Host, "the name it greets with"),
        Key::optional(
            "certificate",
            Shape::Path,
            "PEM file of its certificate and chain; one it \
            makes itself where absent",
        ),
        Key::optional("private_key", Shape::Path, "PEM file of the certificate's key"),
        Key::optional("max_message", Shape::Size, "larger mail is refused").or("\"1 MiB\""),
        Key::optional("max_connections", Shape::Integer(1, 10_000), "the most connections at once")
            .or("100"),
        Key::optional("sites", Shape::Labels, "the sites whose agents run it; all where absent"),
    ],
};

/// `[hours.NAME]`; beside these keys, any run of days such as `mon-fri` or `sat-sun`.
pub static HOURS: Section = Section {
    name: "hours",
    form: Form::Named,
    about: "service hours: local times on local dates",
    keys: &[
        Key::optional("daily", Shape::Spans, "hours of every day"),
        Key::optional("mon", Shape::Spans, "hours that start on a Monday"),
        Key::optional("tue", Shape::Spans, "hours that start on a Tuesday"),
        Key::optional("wed", Shape::Spans, "hours that start on a Wednesday"),
        Key::optional("thu", Shape::Spans, "hours that start on a Thursday"),
        Key::optional("fri", Shape::Spans, "hours that start on a Friday"),
        Key::optional("sat", Shape::Spans, "hours that start on a Saturday"),
        Key::optional("sun", Shape::Spans, "hours that start on a Sunday"),
        Key::optional("holidays", Shape::Dates, "local dates on which none start"),
    ],
};

/// The keys of days, Monday first.
pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// `[[level]]`
pub static LEVEL: Section = Section {
    name: "level",
    form: Form::List,
    about: "a service level: what was promised",
    keys: &[
        Key::required("id", Shape::Id, "its id"),
        Key::required("measure", Shape::Word(MEASURE_WORDS), "what is measured"),
    ],
};

const MEASURE_WORDS: &[&str] = &[
    "availability",
    "success",
    "response_time",
    "delivery_time",
    "resolution",
    "listing",
    "ratio",
];

const OF: Key = Key::required("component", Shape::Id, "the component it is about");
const MAY_BE_OF: Key =
    Key::optional("component", Shape::Id, "the component it is about; the service where absent");
const HOURS_OF: Key =
    Key::optional("hours", Shape::Hours, "the hours that count: 24x7, a name, or \"not NAME\"")
        .or("\"24x7\"");
const SHARE: Key = Key::required("target", Shape::Percent, "at least this share");
const CREDITS: Key = Key::optional(
    "credits",
    Shape::Credits,
    "service credits by tiers, worst last: \
    below this share, this credit is due",
);

/// The measures, in the order of the reference.
pub const MEASURES: &[MeasureKeys] = &[
    MeasureKeys {
        name: "availability",
        about: "share of service time that is not downtime",
        keys: &[
            Key::optional(
                "component",
                Shape::Id,
                "the component it is about; this, or over \
                for the whole service",
            ),
            Key::optional(
                "over",
                Shape::Word(&["users", "composite"]),
                "instead of component: \
                the whole service, weighted by users, or as one that is down while any row is",
            ),
            SHARE,
            HOURS_OF,
            CREDITS,
            Key::optional(
                "unknown",
                Shape::Word(&["exclude", "up", "down"]),
                "what becomes of \
                time without evidence",
            )
            .or("\"exclude\""),
            Key::optional(
                "min_coverage",
                Shape::Percent,
                "under unknown = \"exclude\": with \
                less evidence it is neither met nor missed",
            )
            .or("\"90%\""),
        ],
        never: &[],
    },
    MeasureKeys {
        name: "success",
        about: "share of scheduled runs that were not down",
        keys: &[OF, SHARE, HOURS_OF, CREDITS],
        never: &[],
    },
    MeasureKeys {
        name: "response_time",
        about: "share of scheduled runs that answered within a time, of those that answered",
        keys: &[OF, SHARE, HOURS_OF, CREDITS, Key::required("within", Shape::Period, "the time")],
        never: &[],
    },
    MeasureKeys {
        name: "delivery_time",
        about: "share of sent mail that arrived within a time",
        keys: &[
            OF,
            SHARE,
            CREDITS,
            Key::required("within", Shape::Period, "the time"),
            Key::optional("lost_after", Shape::Period, "later than this is lost").or("\"15m\""),
        ],
        never: &[("hours", "all mail due in the month counts, whenever it was sent")],
    },
    MeasureKeys {
        name: "resolution",
        about: "share of tickets resolved within a time",
        keys: &[
            MAY_BE_OF,
            SHARE,
            HOURS_OF,
            CREDITS,
            Key::required("severity", Shape::Text, "the severity of the tickets"),
            Key::required("within", Shape::Period, "the time, in the level's hours"),
            Key::optional(
                "reopen_within",
                Shape::Duration,
                "a ticket opened again later than \
                this after its resolution stays resolved; no limit where absent",
            ),
        ],
        never: &[],
    },
    MeasureKeys {
        name: "listing",
        about: "time on any blocklist in the month",
        keys: &[OF, Key::required("target", Shape::Duration, "at most this long in the month")],
        never: &[
            ("hours", "a listing counts around the clock"),
            ("credits", "tiers are of a share, and its target is a length of time"),
        ],
    },
    MeasureKeys {
        name: "ratio",
        about: "a share from imported counts",
        keys: &[MAY_BE_OF, SHARE, CREDITS, Key::required("series", Shape::Text, "which counts")],
        never: &[("hours", "each count says itself from when to when it was taken")],
    },
];

/// The measure of this name.
#[must_use]
pub fn measure(name: &str) -> Option<&'static MeasureKeys> {
    MEASURES.iter().find(|measure| measure.name == name)
}

/// `[maintenance]`
pub static MAINTENANCE: Section = Section {
    name: "maintenance",
    form: Form::Table,
    about: "rules for planned work",
    keys: &[
        Key::optional(
            "cap_per_month",
            Shape::Duration,
            "the most that is excluded in a month, \
            for each component; no cap where absent",
        ),
        Key::optional(
            "notice",
            Shape::Duration,
            "the least notice; where absent, it must be \
            announced before it starts",
        ),
    ],
};

/// `[report]`
pub static REPORT: Section = Section {
    name: "report",
    form: Form::Table,
    about: "when a month's report is published",
    keys: &[
        Key::optional(
            "publish",
            Shape::Word(&["auto", "manual"]),
            "the scheduler makes a draft \
            on the 1st, and publishes on the day below, or waits for `mailward publish`",
        )
        .or("\"auto\""),
        Key::optional("publish_on", Shape::Integer(1, 28), "the day of the following month")
            .or("5"),
        Key::optional("publish_at", Shape::Clock, "the local time of that day, and of a digest's")
            .or("\"09:00\""),
        Key::optional(
            "signing_key",
            Shape::Secret,
            "where the key that signs editions is kept: Ed25519, PKCS #8, PEM; one in the data \
            directory, made when it is first needed, where absent",
        ),
        Key::optional(
            "language",
            Shape::Language,
            "the words, numbers and dates of pages, reports and letters: \"en\", the file of a \
            language of one's own, or a table of its texts; English where absent",
        ),
    ],
};
