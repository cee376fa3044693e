//! The bookmarks that viewers show beside the pages: the title, and the headings below it.

use lopdf::{Dictionary, Document, Object, ObjectId};

use super::tags::place;
use super::unicode;
use crate::render::pdf::sheet::Heading;

/// Writes them.
pub(super) fn outline(document: &mut Document, headings: &[Heading], pages: &[ObjectId]) {
    let Some((title, below)) = headings.split_first() else { return };
    let root = document.new_object_id();
    let top = document.new_object_id();
    let ids: Vec<ObjectId> = below.iter().map(|_| document.new_object_id()).collect();
    for (i, heading) in below.iter().enumerate() {
        let mut entry = entry(heading, top, pages);
        if let Some(previous) = i.checked_sub(1).and_then(|i| ids.get(i)) {
            entry.set("Prev", *previous);
        }
        if let Some(next) = ids.get(i + 1) {
            entry.set("Next", *next);
        }
        document.objects.insert(ids[i], Object::Dictionary(entry));
    }
    let mut first = entry(title, root, pages);
    hold(&mut first, &ids, ids.len());
    document.objects.insert(top, Object::Dictionary(first));
    let mut outlines = Dictionary::new();
    outlines.set("Type", "Outlines");
    hold(&mut outlines, &[top], ids.len() + 1);
    document.objects.insert(root, Object::Dictionary(outlines));
    if let Ok(catalog) = document.catalog_mut() {
        catalog.set("Outlines", root);
        catalog.set("PageMode", "UseOutlines");
    }
}

/// States the entries below one, and how many are open.
fn hold(entry: &mut Dictionary, below: &[ObjectId], open: usize) {
    if let (Some(first), Some(last)) = (below.first(), below.last()) {
        entry.set("First", *first);
        entry.set("Last", *last);
        entry.set("Count", i64::try_from(open).unwrap_or(i64::MAX));
    }
}

fn entry(heading: &Heading, parent: ObjectId, pages: &[ObjectId]) -> Dictionary {
    let mut entry = Dictionary::new();
    entry.set("Title", unicode(&heading.text));
    entry.set("Parent", parent);
    if let Some(page) = pages.get(heading.page) {
        entry.set("Dest", place(*page, heading.top));
    }
    entry
}
