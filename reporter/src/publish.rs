//! Editions: a month that is over, frozen for good with everything it was judged by. A later
//! edition says why it replaces the one before; none is ever rewritten. When a month is due is
//! the calendar's business.

pub mod canonical;
pub mod definition;
pub mod differs;
pub mod evidence;
pub mod figures;
pub mod manifest;
pub mod recompute;
pub mod verify;

use std::sync::Arc;

use mailward_catalogue::Catalogue;

use crate::brand::Brand;
use crate::interval::Span;
use crate::language::{Language, Local, english};
use crate::month::{self, Basis, ComputeError, Detail, Judged, Month};
use crate::render::{csv, json, pdf};
use crate::report::model::{At, Changes, DefinitionChange, Report};
use crate::sign::SigningKey;
use crate::store::{NewEdition, Store, StoreError};
use recompute::{Parts, RecomputeError};

/// Who publishes what the calendar publishes.
pub const CALENDAR: &str = "the calendar";

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The month has not ended.
    #[error("expected a month that is over, got {month}, which runs until {ends}")]
    Running {
        /// The month.
        month: Month,
        /// Its end, local.
        ends: String,
    },
    /// Nobody is named.
    #[error("expected the name of whoever publishes, got none")]
    Unnamed,
    /// A second or later edition came without a reason.
    #[error("edition {edition} of {month} replaces edition {} and needs a reason", edition - 1)]
    Unreasoned {
        /// The month.
        month: Month,
        /// The number it would have had.
        edition: u32,
    },
    /// The month could not be computed.
    #[error(transparent)]
    Compute(#[from] ComputeError),
    /// The report could not be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The evidence could not be packed.
    #[error("pack the evidence of {month}")]
    Pack {
        /// The month.
        month: Month,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The edition before cannot be read, so that nobody could say what changes.
    #[error("read the edition that is replaced")]
    Earlier(#[source] RecomputeError),
    /// The store refused.
    #[error("keep the edition of {month}")]
    Store {
        /// The month.
        month: Month,
        /// Why.
        #[source]
        source: StoreError,
    },
}

/// Why a report has no files.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// report.json could not be written.
    #[error("render report.json")]
    Json(#[source] serde_json::Error),
    /// report.pdf could not be written.
    #[error("render report.pdf")]
    Pdf(#[source] pdf::PdfError),
}

/// A report as the files that leave the house.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// report.json.
    pub report_json: String,
    /// SHA-256 of report.json, in hexadecimal.
    pub digest: String,
    /// report.pdf.
    pub pdf: Vec<u8>,
    /// outages.csv.
    pub outages_csv: String,
    /// daily.csv.
    pub daily_csv: String,
}

impl Files {
    /// Renders a report; what people read of it in this language.
    ///
    /// # Errors
    /// When the report holds an instant that no calendar can hold.
    pub fn of(report: &Report, say: &Language) -> Result<Self, RenderError> {
        let report_json = json::render(report).map_err(RenderError::Json)?;
        Ok(Self {
            digest: json::digest(&report_json),
            pdf: pdf::render(report, say).map_err(RenderError::Pdf)?,
            outages_csv: csv::outages(report),
            daily_csv: csv::daily(report),
            report_json,
        })
    }
}

/// An edition as it was just frozen.
#[derive(Clone, Debug, PartialEq)]
pub struct Edition {
    /// The month.
    pub month: Month,
    /// Its number.
    pub number: u32,
    /// The edition it replaces.
    pub supersedes: Option<u32>,
    /// SHA-256 of its report.json, in hexadecimal.
    pub digest: String,
    /// The report.
    pub report: Report,
}

/// Publishes months of one service from one store. Blocks.
#[derive(Clone, Copy)]
pub struct Publisher<'a> {
    /// Where the evidence is, and the editions go.
    pub store: &'a Store,
    /// What the months are judged by.
    pub catalogue: &'a Catalogue,
    /// That definition in its normal form, kept with every edition.
    pub definition: &'a str,
    /// Marks what is published DEMO.
    pub demo: bool,
    /// What editions are signed with.
    pub key: &'a SigningKey,
}

impl Publisher<'_> {
    /// Freezes the next edition of a month: all of it, or nothing.
    ///
    /// # Errors
    /// When the month has not ended, nobody is named, a second or later edition has no reason,
    /// somebody else published it in the meantime, or the store cannot be read or written.
    pub fn publish(
        &self,
        month: Month,
        by: &str,
        reason: Option<&str>,
        now_ms: i64,
    ) -> Result<Edition, PublishError> {
        self.over(month, now_ms)?;
        let by = by.trim();
        if by.is_empty() {
            return Err(PublishError::Unnamed);
        }
        let reason = reason.map(str::trim).filter(|text| !text.is_empty());
        let failed = |source| PublishError::Store { month, source };
        let number = self.store.next_edition(&month.to_string()).map_err(failed)?;
        if number > 1 && reason.is_none() {
            return Err(PublishError::Unreasoned { month, edition: number });
        }
        // what arrives from here on is not in the edition, as far as anybody can tell
        let change = self.store.last_change().map_err(failed)?;
        let way = (Basis::Kept, Detail::Report);
        let judged = month::judge(self.store, self.catalogue, month, now_ms, way)?;
        let mut report = judged.report.clone().for_the_public();
        report.edition = Some(number);
        report.supersedes = number.checked_sub(1).filter(|&old| old > 0);
        report.demo = self.demo;
        report.brand = self.brand();
        report.published_by = Some(by.to_owned());
        report.approved_by = (by != CALENDAR && !self.demo).then(|| by.to_owned());
        report.published_at = Some(At(now_ms));
        report.edition_reason = reason.map(str::to_owned);
        report.definition_changes = self.definition_changes(&judged).map_err(failed)?;
        if number > 1 {
            report.changes = self.changes(&judged, &report, (month, number - 1))?;
        }
        let segments = canonical::pack(&judged.evidence, &judged.tallies)
            .map_err(|source| PublishError::Pack { month, source })?;
        let files = Files::of(&report, &Language::of(self.catalogue))?;
        let mut edition = NewEdition {
            month: month.to_string(),
            edition: number,
            as_of_ms: report.as_of.0,
            published_ms: now_ms,
            by: by.to_owned(),
            reason: reason.map(str::to_owned),
            report_json: files.report_json,
            pdf: files.pdf,
            outages_csv: files.outages_csv,
            daily_csv: files.daily_csv,
            definition_toml: self.definition.to_owned(),
            segments,
            seal: None,
        };
        edition.seal = Some(manifest::seal(&edition, &report, self.key));
        let public = self.key.public();
        self.store.note_signing_key(&public.id(), &public.to_pem()).map_err(failed)?;
        let number = self.store.put_edition(edition).map_err(failed)?;
        let ends_ms = month.span(&self.catalogue.service.zone).to_ms;
        if let Err(error) = differs::note(self.store, (&month.to_string(), number), ends_ms, change)
        {
            // the edition is there; whether it differs is found out when somebody asks
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, %month, "note what the edition was made of");
        }
        Ok(Edition { month, number, supersedes: report.supersedes, digest: files.digest, report })
    }

    /// A month's report as it would be published now, marked as a draft. A month still running
    /// is reckoned to date.
    ///
    /// # Errors
    /// When the month has not begun, or the store cannot be read.
    pub fn draft(&self, month: Month, now_ms: i64) -> Result<Report, PublishError> {
        let mut report = month::compute(self.store, self.catalogue, month, now_ms)?;
        report.demo = self.demo;
        report.brand = self.brand();
        Ok(report)
    }

    fn brand(&self) -> Option<Arc<Brand>> {
        self.catalogue.branding.as_ref().map(|branding| Arc::new(Brand::of(branding)))
    }

    fn over(&self, month: Month, now_ms: i64) -> Result<(), PublishError> {
        let ends_ms = month.span(&self.catalogue.service.zone).to_ms;
        if now_ms < ends_ms {
            let ends = Local::new(english(), &self.catalogue.service.zone_name).full(At(ends_ms));
            return Err(PublishError::Running { month, ends });
        }
        Ok(())
    }

    /// How the definition changed from the month's beginning until now, as far as this store
    /// has seen; this definition is seen now at the latest.
    fn definition_changes(&self, judged: &Judged) -> Result<Vec<DefinitionChange>, StoreError> {
        self.store.note_definition(self.definition)?;
        let from_ms = judged.report.period.from.0;
        let seen = self.store.definitions()?;
        let mut changes = Vec::new();
        for pair in seen.windows(2) {
            let [(_, before), (at_ms, after)] = pair else { continue };
            if *at_ms < from_ms {
                continue;
            }
            // one that this program does not read any more cannot be compared
            let read = |text| recompute::definition(text).ok();
            let (Some(before), Some(after)) = (read(before), read(after)) else { continue };
            let what = definition::changes(&before, &after);
            if !what.is_empty() {
                changes.push(DefinitionChange { at: At(*at_ms), what });
            }
        }
        Ok(changes)
    }

    /// What the new edition changes against the one before.
    fn changes(
        &self,
        judged: &Judged,
        report: &Report,
        (month, since): (Month, u32),
    ) -> Result<Option<Changes>, PublishError> {
        let failed = |source| PublishError::Store { month, source };
        let earlier = self.store.edition(&month.to_string(), Some(since)).map_err(failed)?;
        let Some(earlier) = earlier else { return Ok(None) };
        let earlier = Parts::of(&earlier).map_err(PublishError::Earlier)?;
        let period = Span::new(report.period.from.0, report.period.to.0);
        let local = Local::new(english(), &report.zone);
        Ok(Some(Changes {
            since,
            levels: figures::differing(&earlier.report, report),
            definition: definition::changes(&earlier.catalogue, self.catalogue),
            evidence: evidence::changes(&earlier.evidence, &judged.evidence, period, &local),
        }))
    }
}

#[cfg(test)]
pub(crate) mod tests;
