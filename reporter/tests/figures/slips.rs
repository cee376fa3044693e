//! Would the random months tell? Each rule is got wrong in the naive reckoning, one at a time
//! (`Slip`), and some month must come out differently. As both reckonings agree on every month,
//! the same slip in the reporter would be told by the same month. The smallest such month of
//! each slip is kept in `kept/`, where both are held to it; `MAILWARD_KEEP=1` makes what is
//! missing there.

use crate::draw;
use crate::naive::{Naive, Slip};
use crate::random::{keep, kept};
use crate::shrink;
use crate::world::World;

fn tells(slip: Slip, world: &World) -> bool {
    let (right, wrong) = (Naive::new(world), Naive::slipping(world, slip));
    right.told() != wrong.told() || right.answer() != wrong.answer()
}

fn name(slip: Slip) -> String {
    let name = format!("{slip:?}");
    let mut snake = String::from("slip");
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            snake.push('-');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

#[test]
fn every_slip_is_told_by_the_month_that_is_kept_of_it() {
    let kept = kept();
    for (slip, text) in Slip::ALL.iter().filter(|(slip, _)| *slip != Slip::None) {
        let own = kept.iter().find(|(kept, _)| *kept == name(*slip));
        let (_, world) = own.unwrap_or_else(|| panic!("no month is kept of {text}"));
        assert!(tells(*slip, world), "{text}: its month does not tell");
    }
}

/// The random months tell it soon as well, and shrinking leaves little of them.
#[test]
fn random_months_tell_slips_and_shrink() {
    let kept = kept();
    let keeping = std::env::var_os("MAILWARD_KEEP").is_some();
    // those of which the smallest month is known: so many outcomes and rosters
    let known = [(Slip::PatienceTwo, 2), (Slip::BlipIsDown, 1), (Slip::NobodyIsUp, 0)];
    for (slip, text) in Slip::ALL.iter().filter(|(slip, _)| *slip != Slip::None) {
        let size = known.iter().find(|(known, _)| known == slip).map(|(_, size)| *size);
        let missing = !kept.iter().any(|(kept, _)| *kept == name(*slip));
        if !(keeping && missing) && size.is_none() {
            continue;
        }
        let found = (0..2000).map(draw::world).enumerate().find(|(_, world)| tells(*slip, world));
        let Some((seed, world)) = found else { panic!("{text}: not told by 2000 months") };
        let small = shrink::smallest(&world, &|world| tells(*slip, world));
        if keeping && missing {
            println!("{text}: month {seed}, {} outcomes left", small.outcomes.len());
            keep(&name(*slip), &small);
        }
        if let Some(size) = size {
            assert_eq!(small.outcomes.len() + small.rosters.len(), size, "{text}: {small:#?}");
        }
    }
}
