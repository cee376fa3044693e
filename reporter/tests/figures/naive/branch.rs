//! What a world held (branches of the rules), and ways to get a rule wrong (slips). Slips break
//! the naive reckoning on purpose, to show that the worlds would tell.

use std::cell::Cell;

macro_rules! listed {
    ($(#[$doc:meta])* $name:ident { $($variant:ident => $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($variant,)+ }

        impl $name {
            pub(crate) const ALL: &[(Self, &'static str)] = &[$((Self::$variant, $text),)+];
        }
    };
}

listed! {
    /// What has to come up in at least one month of a hundred.
    Branch {
        Running => "1 the month is still running",
        Future => "1 an outcome due at or after now",
        OddMidnight => "1 a month or day begins at a doubled or skipped midnight",
        CarriedIn => "2 the month begins with what was said before it",
        JustInTime => "2 the next outcome comes at exactly three intervals",
        JustTooLate => "2 it comes a millisecond after three intervals",
        Silence => "2 silence after an outcome",
        SaidUnknown => "2 an outcome that is unknown",
        NoTimeToSpeak => "2 two outcomes due at one instant",
        AdvisoryDown => "2 an advisory probe is down",
        Blip => "3 a blip",
        BlipAtNow => "3 a blip that still runs at now",
        BlipOutside => "3 a blip that began outside the period",
        Confirmed => "3 an outage confirmed after its first failure",
        UnknownInOutage => "3 an unknown outcome inside an outage",
        SilenceInOutage => "3 silence inside an outage",
        BeforeRoster => "4 an agent counts before its first roster",
        RosterChange => "4 a roster changes inside the month",
        SiteChange => "4 an agent moves to another site",
        ProbeDropped => "4 a roster drops a probe",
        Retired => "4 an agent retires",
        QuorumLost => "4 a site has fewer voices than its quorum",
        QuorumOutvoted => "4 an agent says down and is outvoted",
        MajorityOfMany => "4 a majority of three agents or more",
        SiteLost => "4 the probe is unknown because a site is",
        SiteLostInVain => "4 the probe is known although a site is not",
        SitesAgree => "4 several sites are needed, and agree that it is down",
        ProbeLost => "5 the component is unknown because a probe is",
        ProbeLostInVain => "5 the component is known although a probe is not",
        ProbesAgree => "5 several probes are needed, and agree that it is down",
        NobodyLooks => "5 no probe is on any roster",
        Uncounted => "5 one probe is on nobody's roster",
        Degraded => "5 degraded",
        DegradedHidden => "5 a degraded outcome of a probe that is not up",
        OutageOverEdge => "6 an outage over the edge of the month",
        OutageOverHours => "6 an outage over the edge of the hours",
        NothingLeft => "6 nothing to measure",
        UnknownIsUp => "6 unknown counts as up",
        UnknownIsDown => "6 unknown counts as down",
        ThinMissed => "6 too little evidence, and missed for certain",
        ThinUnsaid => "6 too little evidence, and nothing to say",
        Exact => "7 a target reached to the millisecond, or its budget used up",
        ClockChange => "8 a clock change in the month",
        ClockChangeInside => "8 a clock change inside service hours",
        HoursDoubled => "8 service hours begin or end at a doubled time",
        HoursSkipped => "8 service hours begin or end at a skipped time",
        Overnight => "8 hours that go on into the next day",
        Holiday => "8 a holiday",
        Complement => "8 the complement of hours",
        Since => "8 service begins inside the month",
        ThirdParty => "9 a third-party exclusion counts",
        RefusedApproval => "9 refused for want of approval",
        ApprovalToCome => "9 approved after now",
        RefusedNotice => "9 refused for want of notice",
        NoticeExact => "9 notice to the millisecond",
        RefusedCap => "9 refused by the cap",
        SplitCap => "9 a window split by the cap",
        Overlap => "9 exclusions that overlap",
        OverEdge => "9 an exclusion over the edge of the month",
        Foreign => "9 an exclusion of another component",
        Cancelled => "9 an exclusion that was withdrawn",
        ExcludedDown => "9 time that was down and is excluded",
        Provable => "10 met or missed for certain",
        NotProvable => "10 not provable either way",
        NoSuccessBefore => "10 an outage without a success before it",
        OpenEnd => "10 an outage without a success after it",
        LostDown => "11 a mail that was refused or lost",
        LostLate => "11 a mail that arrived after lost_after",
        LostRank => "11 a percentile that is lost",
        Resolved => "12 a ticket resolved in time",
        ResolvedLate => "12 a ticket resolved too late",
        ResolvedExactly => "12 a ticket resolved at its target",
        StillOpen => "12 a ticket open and in time",
        OpenLate => "12 a ticket open and late",
        Elsewhere => "12 a ticket of another month",
        Paused => "12 a pause in service hours",
        Reopened => "12 a re-open in time",
        ReopenedAtLimit => "12 a re-open at the last instant",
        ReopenedTooLate => "12 a re-open too late",
        EventIgnored => "12 an event that does not follow",
        Listed => "13 listed",
        ListedTwice => "13 on two lists at once",
        CountLeftOut => "14 a count that ends after now",
        NoCount => "14 nothing counted",
        RunOutsideHours => "15 a run outside hours or in an exclusion",
        RunAgain => "15 a re-probe",
        Revision => "a revision",
        Conflict => "a conflict",
        Duplicate => "a duplicate",
        RosterSuperseded => "a roster superseded",
        ExclusionSuperseded => "an exclusion superseded",
        TicketSuperseded => "a ticket superseded",
    }
}

listed! {
    /// Ways to get a rule wrong. Each must change the answer for some world.
    Slip {
        None => "none",
        FutureCounts => "1 outcomes at or after now count",
        EndsWithMonth => "2 the last outcome speaks on beyond its interval",
        PatienceTwo => "2 two intervals of patience instead of three",
        PatienceBelow => "2 exactly three intervals are too late",
        SilenceHoldsOn => "2 silence goes on with what was said",
        AdvisoryCounts => "2 an advisory failure is down",
        ConfirmMore => "3 one failure more than confirm",
        NotBackdated => "3 an outage begins when it is confirmed",
        UnknownBreaks => "3 an unknown outcome breaks a run",
        BlipIsDown => "3 a blip speaks down",
        BlipsEverywhere => "3 blips outside the period are counted",
        MajorityHalf => "4 half of the agents are a majority",
        QuorumOfAll => "4 the quorum is of all sites together",
        ThinSiteIsUp => "4 a site without its quorum is up",
        FirstRosterHolds => "4 the first roster holds for ever",
        NobodyBeforeRoster => "4 nobody counts before its first roster",
        SilentLeave => "4 silent agents are not counted",
        UnknownIsGood => "4 what is unknown does not stand in the way of up",
        NobodyIsUp => "5 without a probe the component is up",
        DegradedAnyway => "5 degraded whatever the probe is",
        DownFirst => "6 down before excluded",
        PolicyForgotten => "6 unknown always leaves the denominator",
        ThinIsSaid => "6 coverage does not matter",
        Rounded => "7 met after rounding to three places",
        HolidayForgotten => "8 hours start on holidays",
        NightCut => "8 the night ends with its day",
        SecondOccurrence => "8 a doubled time is its second occurrence",
        GapStart => "8 a skipped time is the change",
        SinceForgotten => "8 since is not minded",
        ComplementForgotten => "8 the hours instead of their complement",
        ApprovalLate => "9 approval during the window",
        ApprovalUnnamed => "9 approval by nobody",
        ApprovalToCome => "9 approval after now",
        NoticeForgotten => "9 notice does not matter",
        NoticeAbove => "9 notice exactly as demanded is too short",
        CapAsWhole => "9 a window over the cap is refused whole",
        CapInHours => "9 the cap counts service hours only",
        CapTwice => "9 time already excluded takes from the cap",
        CapUnclipped => "9 the cap counts what lies outside the month",
        OrderOfIds => "9 windows in order of their ids",
        ForeignCounts => "9 exclusions of other components",
        CancelledCounts => "9 exclusions that were withdrawn",
        ShortestMeasured => "10 the shortest reading is the measured one",
        ShortestAtAnyFailure => "10 the shortest reading is up after the first failure",
        LongestFromFailure => "10 the longest reading begins with the first failure",
        LongestSilent => "10 the longest reading is silent where the agent is",
        DoubtMeasuredOnly => "10 unknown of the longest reading alone",
        LostForgotten => "11 lost mail is not counted",
        LostAfterForgotten => "11 late mail is never lost",
        RankBelow => "11 the rank is cut off",
        PausesRun => "12 the clock runs while paused",
        ReopenAlways => "12 a re-open is never too late",
        ReopenStrict => "12 a re-open at the limit is too late",
        ExactIsLate => "12 reaching the target exactly is late",
        ClockNeverRests => "12 the clock runs outside hours",
        FirstResolution => "12 the month of the first resolution",
        OverlapTwice => "13 exposure is the sum",
        UnspokenListed => "13 listed while the outcome is silent",
        CountsByEnd => "14 counts by their end",
        RunsAgainCount => "15 re-probes count",
        RunsAnytime => "15 runs outside hours count",
        UnknownRunsCount => "15 unknown runs count",
        FirstRevisionStays => "the first revision stays",
        LastOutcomeWins => "the last of a conflict wins",
    }
}

/// Which branches came up.
#[derive(Debug, Default)]
pub(crate) struct Saws(Cell<u128>);

impl Saws {
    pub(crate) fn tick(&self, branch: Branch) {
        self.0.set(self.0.get() | 1 << branch as u32);
    }

    pub(crate) fn if_so(&self, so: bool, branch: Branch) {
        if so {
            self.tick(branch);
        }
    }

    pub(crate) fn mask(&self) -> u128 {
        self.0.get()
    }
}
