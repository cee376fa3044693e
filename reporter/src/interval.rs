//! Algebra of half-open intervals of integer milliseconds: what every figure is made of.
//! It knows no states, no zones and no now.

/// A half-open interval of milliseconds since the Unix epoch; empty when it ends no later than
/// it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Its first millisecond.
    pub from_ms: i64,
    /// The first millisecond after it.
    pub to_ms: i64,
}

impl Span {
    /// From `from_ms` up to, and without, `to_ms`.
    #[must_use]
    pub const fn new(from_ms: i64, to_ms: i64) -> Self {
        Self { from_ms, to_ms }
    }

    /// How long it is, in milliseconds.
    #[must_use]
    pub const fn len_ms(self) -> i64 {
        if self.to_ms > self.from_ms { self.to_ms - self.from_ms } else { 0 }
    }

    /// Whether it holds no millisecond.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.to_ms <= self.from_ms
    }

    /// Whether it holds this millisecond.
    #[must_use]
    pub const fn contains(self, at_ms: i64) -> bool {
        self.from_ms <= at_ms && at_ms < self.to_ms
    }

    /// What both hold; empty where they do not meet.
    #[must_use]
    pub fn clip(self, to: Self) -> Self {
        Self { from_ms: self.from_ms.max(to.from_ms), to_ms: self.to_ms.min(to.to_ms) }
    }
}

/// A set of milliseconds as intervals: in order, none empty, no two of them touching.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set(Vec<Span>);

impl Set {
    /// The set that holds nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The union of any intervals, in any order.
    #[must_use]
    pub fn of(spans: impl IntoIterator<Item = Span>) -> Self {
        let mut spans: Vec<Span> = spans.into_iter().filter(|span| !span.is_empty()).collect();
        if !spans.is_sorted() {
            spans.sort_unstable();
        }
        let mut set = Self(Vec::with_capacity(spans.len()));
        for span in spans {
            set.push(span);
        }
        set
    }

    /// Adds an interval that begins no earlier than the last one in the set.
    fn push(&mut self, span: Span) {
        if span.is_empty() {
            return;
        }
        match self.0.last_mut() {
            Some(last) if span.from_ms <= last.to_ms => last.to_ms = last.to_ms.max(span.to_ms),
            _ => self.0.push(span),
        }
    }

    /// Its maximal intervals, in order.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.0
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many milliseconds it holds.
    #[must_use]
    pub fn len_ms(&self) -> i64 {
        self.0.iter().map(|span| span.len_ms()).sum()
    }

    /// How many milliseconds of `span` it holds.
    #[must_use]
    pub fn len_within_ms(&self, span: Span) -> i64 {
        self.meeting(span).iter().map(|own| own.clip(span).len_ms()).sum()
    }

    /// Whether it holds this millisecond.
    #[must_use]
    pub fn contains(&self, at_ms: i64) -> bool {
        self.around(at_ms).is_some()
    }

    /// The maximal interval that holds this millisecond.
    #[must_use]
    pub fn around(&self, at_ms: i64) -> Option<Span> {
        let after = self.0.partition_point(|span| span.to_ms <= at_ms);
        self.0.get(after).copied().filter(|span| span.contains(at_ms))
    }

    /// Its intervals that share a millisecond with `span`, whole.
    #[must_use]
    pub fn meeting(&self, span: Span) -> &[Span] {
        if span.is_empty() {
            return &[];
        }
        let first = self.0.partition_point(|own| own.to_ms <= span.from_ms);
        let count = self.0[first..].partition_point(|own| own.from_ms < span.to_ms);
        &self.0[first..first + count]
    }

    /// What it holds of `span`.
    #[must_use]
    pub fn clip(&self, span: Span) -> Self {
        Self(self.meeting(span).iter().map(|own| own.clip(span)).collect())
    }

    /// What either holds.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut set = Self(Vec::with_capacity(self.0.len() + other.0.len()));
        loop {
            let next = match (left.peek(), right.peek()) {
                (Some(a), Some(b)) if a.from_ms <= b.from_ms => left.next(),
                (_, Some(_)) => right.next(),
                (Some(_), None) => left.next(),
                (None, None) => return set,
            };
            if let Some(span) = next {
                set.push(*span);
            }
        }
    }

    /// What both hold.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        let (mut i, mut j) = (0, 0);
        let mut spans = Vec::new();
        while let (Some(a), Some(b)) = (self.0.get(i), other.0.get(j)) {
            let both = a.clip(*b);
            if !both.is_empty() {
                spans.push(both);
            }
            if a.to_ms <= b.to_ms {
                i += 1;
            } else {
                j += 1;
            }
        }
        Self(spans)
    }

    /// What this one holds and `other` does not.
    #[must_use]
    pub fn subtract(&self, other: &Self) -> Self {
        let mut spans = Vec::with_capacity(self.0.len());
        let mut j = 0;
        for own in &self.0 {
            let mut from_ms = own.from_ms;
            while other.0.get(j).is_some_and(|cut| cut.to_ms <= from_ms) {
                j += 1;
            }
            let mut k = j;
            while let Some(cut) = other.0.get(k).filter(|cut| cut.from_ms < own.to_ms) {
                if cut.from_ms > from_ms {
                    spans.push(Span::new(from_ms, cut.from_ms));
                }
                from_ms = from_ms.max(cut.to_ms);
                k += 1;
            }
            if from_ms < own.to_ms {
                spans.push(Span::new(from_ms, own.to_ms));
            }
        }
        Self(spans)
    }

    /// Its first `ms` milliseconds.
    #[must_use]
    pub fn first_ms(&self, ms: i64) -> Self {
        let mut left = ms;
        let mut spans = Vec::new();
        for span in &self.0 {
            if left <= 0 {
                break;
            }
            let taken = Span::new(span.from_ms, span.to_ms.min(span.from_ms.saturating_add(left)));
            left -= taken.len_ms();
            spans.push(taken);
        }
        Self(spans)
    }
}

impl From<Span> for Set {
    fn from(span: Span) -> Self {
        Self::of([span])
    }
}

impl FromIterator<Span> for Set {
    fn from_iter<I: IntoIterator<Item = Span>>(spans: I) -> Self {
        Self::of(spans)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::{Set, Span};

    fn spans() -> impl Strategy<Value = Vec<Span>> {
        proptest::collection::vec((0i64..60, 0i64..12), 0..8).prop_map(|list| {
            list.into_iter().map(|(from, len)| Span::new(from, from + len)).collect()
        })
    }

    fn painted(spans: &[Span]) -> BTreeSet<i64> {
        spans.iter().flat_map(|s| s.from_ms..s.to_ms).collect()
    }

    fn check(set: &Set, expect: &BTreeSet<i64>) {
        assert_eq!(&painted(set.spans()), expect);
        let parted = set.spans().windows(2).all(|w| w[0].to_ms < w[1].from_ms);
        assert!(parted && set.spans().iter().all(|s| !s.is_empty()), "not canonical: {set:?}");
    }

    proptest! {
        #[test]
        fn algebra_agrees_with_painting(a in spans(), b in spans(), n in 0i64..40) {
            let (pa, pb) = (painted(&a), painted(&b));
            let (sa, sb) = (Set::of(a), Set::of(b.clone()));
            check(&sa, &pa);
            check(&sa.union(&sb), &pa.union(&pb).copied().collect());
            check(&sa.intersect(&sb), &pa.intersection(&pb).copied().collect());
            check(&sa.subtract(&sb), &pa.difference(&pb).copied().collect());
            check(&sa.first_ms(n), &pa.iter().take(usize::try_from(n).unwrap()).copied().collect());
            prop_assert_eq!(sa.len_ms(), i64::try_from(pa.len()).unwrap());
            for span in b {
                let within: BTreeSet<i64> =
                    pa.iter().filter(|at| span.contains(**at)).copied().collect();
                prop_assert_eq!(sa.len_within_ms(span), i64::try_from(within.len()).unwrap());
                check(&sa.clip(span), &within);
            }
            for at in 0..80 {
                prop_assert_eq!(sa.contains(at), pa.contains(&at));
            }
        }
    }
}
