//! How wide a table's columns are: between what their longest word and their longest text need,
//! shared out so that short columns have all they want and long ones wrap.

/// What a column would take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Wish {
    /// Its longest unbreakable part.
    pub(super) least: f32,
    /// Its longest text on one line.
    pub(super) most: f32,
    /// Whether its words may be broken where there is no room for them.
    pub(super) yields: bool,
}

/// No column of text is squeezed below this.
const FLOOR: f32 = 16.0;

/// The widths of columns, which add up to `room`.
pub(super) fn widths(wishes: &[Wish], room: f32) -> Vec<f32> {
    let least = squeezed(wishes, room);
    let bounds: Vec<(f32, f32)> =
        wishes.iter().zip(&least).map(|(wish, least)| (*least, wish.most.max(*least))).collect();
    let level = level(&bounds, room);
    let mut widths: Vec<f32> =
        bounds.iter().map(|(least, most)| level.clamp(*least, *most)).collect();
    // what nobody needs goes to the space between
    let spare = room - widths.iter().sum::<f32>();
    #[allow(clippy::cast_precision_loss, reason = "a table has a few columns")]
    let each = spare / widths.len().max(1) as f32;
    for width in &mut widths {
        *width += each;
    }
    widths
}

/// The least widths, made to fit: text yields first, then everything alike.
fn squeezed(wishes: &[Wish], room: f32) -> Vec<f32> {
    let mut least: Vec<f32> = wishes.iter().map(|wish| wish.least).collect();
    let over = least.iter().sum::<f32>() - room;
    if over <= 0.0 {
        return least;
    }
    let spare = |wish: &Wish| if wish.yields { (wish.least - FLOOR).max(0.0) } else { 0.0 };
    let can: f32 = wishes.iter().map(spare).sum();
    if can > 0.0 {
        let part = (over / can).min(1.0);
        for (least, wish) in least.iter_mut().zip(wishes) {
            *least -= spare(wish) * part;
        }
    }
    let total: f32 = least.iter().sum();
    if total > room {
        for least in &mut least {
            *least *= room / total;
        }
    }
    least
}

/// The one width that, held within each column's bounds, fills the room.
fn level(bounds: &[(f32, f32)], room: f32) -> f32 {
    let taken =
        |level: f32| -> f32 { bounds.iter().map(|(least, most)| level.clamp(*least, *most)).sum() };
    let (mut low, mut high) = (0.0, room);
    for _ in 0..40 {
        let middle = f32::midpoint(low, high);
        if taken(middle) > room { high = middle } else { low = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn wish(least: f32, most: f32, yields: bool) -> Wish {
        Wish { least, most, yields }
    }

    #[test]
    fn short_columns_have_what_they_want_and_long_ones_wrap() {
        let check = |wishes: &[Wish], expect: &[f32]| {
            let got = widths(wishes, 100.0);
            for (got, expect) in got.iter().zip(expect) {
                assert!((got - expect).abs() < 0.01, "{got} is not {expect}");
            }
        };
        check(&[wish(10.0, 20.0, true), wish(10.0, 20.0, false)], &[50.0, 50.0]);
        check(&[wish(10.0, 300.0, true), wish(20.0, 20.0, false)], &[80.0, 20.0]);
        check(&[wish(10.0, 300.0, true), wish(10.0, 60.0, true)], &[50.0, 50.0]);
        // a long word yields to figures, and is broken
        check(&[wish(300.0, 300.0, true), wish(40.0, 40.0, false)], &[60.0, 40.0]);
    }

    proptest! {
        #[test]
        fn they_always_fill_the_room(
            wishes in prop::collection::vec((0.1f32..200.0, 0.0f32..400.0, any::<bool>()), 1..9),
        ) {
            let wishes: Vec<Wish> =
                wishes.iter().map(|(least, more, yields)| wish(*least, least + more, *yields)).collect();
            let widths = widths(&wishes, 174.0);
            prop_assert!((widths.iter().sum::<f32>() - 174.0).abs() < 0.05, "{widths:?}");
            prop_assert!(widths.iter().all(|width| *width > 0.0), "{widths:?}");
        }
    }
}
