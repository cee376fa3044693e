//! The rest of outcomes by columns: outcomes whose rest has the same parts by the same names
//! share a shape, and each part of a shape is a column. The very same bytes come back.

use super::bytes::{Broken, Reader, put_bytes, put_decimal, put_uint};
use super::codec::{DELIVERY, EXHIBIT, EXTRA, FACTS, LISTINGS, PHASES, Packed};
use super::columns::{self, Zstd};

/// More shapes than that are not worth columns.
const MAX_SHAPES: usize = 32;

/// Names and order of the parts of a rest: what it starts with, less the values.
#[derive(Debug, Default, PartialEq)]
struct Shape<'a> {
    has: u8,
    phases: Vec<&'a [u8]>,
    facts: Vec<&'a [u8]>,
}

impl Shape<'_> {
    const fn numbers(&self) -> usize {
        (self.has & DELIVERY) as usize + self.phases.len()
    }

    fn texts(&self) -> usize {
        let one = |bit: u8| usize::from(self.has & bit != 0);
        one(LISTINGS) + self.facts.len() + one(EXTRA) + one(EXHIBIT)
    }
}

/// A rest, taken apart.
struct Parts<'a> {
    shape: Shape<'a>,
    /// Delivery time, then phases.
    numbers: Vec<f64>,
    /// Listings, facts, unknown fields, exhibit.
    texts: Vec<&'a [u8]>,
}

/// The bytes of a reference to a word.
fn word<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Broken> {
    let start = reader.0;
    if reader.uint()? == 0 {
        reader.bytes()?;
    }
    Ok(&start[..start.len() - reader.0.len()])
}

fn apart(rest: &[u8]) -> Result<Parts<'_>, Broken> {
    let mut parts = Parts { shape: Shape::default(), numbers: Vec::new(), texts: Vec::new() };
    let mut reader = Reader(rest);
    if rest.is_empty() {
        return Ok(parts);
    }
    let has = reader.byte()?;
    parts.shape.has = has;
    if has & DELIVERY != 0 {
        parts.numbers.push(reader.decimal()?);
    }
    if has & LISTINGS != 0 {
        parts.texts.push(reader.bytes()?);
    }
    if has & PHASES != 0 {
        for _ in 0..reader.len()? {
            parts.shape.phases.push(word(&mut reader)?);
            parts.numbers.push(reader.decimal()?);
        }
    }
    if has & FACTS != 0 {
        for _ in 0..reader.len()? {
            parts.shape.facts.push(word(&mut reader)?);
            parts.texts.push(reader.bytes()?);
        }
    }
    for part in [EXTRA, EXHIBIT] {
        if has & part != 0 {
            parts.texts.push(reader.bytes()?);
        }
    }
    Ok(parts)
}

/// Puts a rest together from its values, handed over in order.
fn together(
    shape: &Shape<'_>,
    mut number: impl FnMut(usize) -> f64,
    mut text: impl FnMut(usize, &mut Vec<u8>),
) -> Box<[u8]> {
    if shape.has == 0 {
        return Box::default();
    }
    let (mut out, mut numbers, mut texts) = (Vec::with_capacity(96), 0.., 0..);
    let mut number = |out: &mut Vec<u8>| {
        numbers.next().into_iter().for_each(|i| put_decimal(out, number(i)));
    };
    let mut text = |out: &mut Vec<u8>| texts.next().into_iter().for_each(|i| text(i, out));
    out.push(shape.has);
    if shape.has & DELIVERY != 0 {
        number(&mut out);
    }
    if shape.has & LISTINGS != 0 {
        text(&mut out);
    }
    if shape.has & PHASES != 0 {
        put_uint(&mut out, shape.phases.len() as u64);
        for name in &shape.phases {
            out.extend_from_slice(name);
            number(&mut out);
        }
    }
    if shape.has & FACTS != 0 {
        put_uint(&mut out, shape.facts.len() as u64);
        for name in &shape.facts {
            out.extend_from_slice(name);
            text(&mut out);
        }
    }
    for part in [EXTRA, EXHIBIT] {
        if shape.has & part != 0 {
            text(&mut out);
        }
    }
    out.into()
}

/// The rests of all entries as columns; `None` where they are too unlike each other.
pub(super) fn encode(entries: &[Packed], zstd: &mut Zstd<'_>) -> Option<Vec<u8>> {
    let mut shapes: Vec<(Shape<'_>, Vec<Parts<'_>>)> = Vec::new();
    let mut runs: Vec<(usize, u64)> = Vec::new();
    for entry in entries {
        let mut parts = apart(&entry.rest).ok()?;
        let last = runs.last().map(|(id, _)| *id).filter(|id| shapes[*id].0 == parts.shape);
        let id = match last.or_else(|| shapes.iter().position(|(s, _)| *s == parts.shape)) {
            Some(id) => id,
            None if shapes.len() == MAX_SHAPES => return None,
            None => {
                shapes.push((std::mem::take(&mut parts.shape), Vec::new()));
                shapes.len() - 1
            }
        };
        shapes[id].1.push(parts);
        match runs.last_mut() {
            Some((last, run)) if *last == id => *run += 1,
            _ => runs.push((id, 1)),
        }
    }
    let (mut out, mut order) = (Vec::with_capacity(entries.len() * 8), Vec::new());
    put_uint(&mut out, shapes.len() as u64);
    for (shape, all) in &shapes {
        out.push(shape.has);
        for names in [&shape.phases, &shape.facts] {
            put_uint(&mut out, names.len() as u64);
            names.iter().for_each(|name| put_bytes(&mut out, name));
        }
        put_uint(&mut out, all.len() as u64);
        for i in 0..shape.numbers() {
            let column: Vec<f64> = all.iter().map(|parts| parts.numbers[i]).collect();
            columns::put_numbers(&mut out, &column, zstd);
        }
        for i in 0..shape.texts() {
            let column: Vec<&[u8]> = all.iter().map(|parts| parts.texts[i]).collect();
            columns::put_texts(&mut out, &column, zstd);
        }
    }
    for (id, run) in runs {
        put_uint(&mut order, id as u64);
        put_uint(&mut order, run);
    }
    columns::put_section(&mut out, &order, zstd);
    Some(out)
}

/// A shape with its columns, and how many rows of them were handed out.
struct Table<'a> {
    shape: Shape<'a>,
    count: usize,
    numbers: Vec<Vec<f64>>,
    texts: Vec<Vec<Box<[u8]>>>,
    given: usize,
}

impl<'a> Table<'a> {
    fn read(reader: &mut Reader<'a>, most: usize) -> Result<Self, Broken> {
        let has = reader.byte()?;
        let mut names = || -> Result<Vec<&'a [u8]>, Broken> {
            let len = reader.len()?;
            (0..len).map(|_| reader.bytes()).collect()
        };
        let shape = Shape { has, phases: names()?, facts: names()? };
        let count = reader.len()?;
        if count > most {
            return Err(Broken("no more rests than outcomes"));
        }
        let numbers: Result<_, _> =
            (0..shape.numbers()).map(|_| columns::numbers(reader, count)).collect();
        let numbers = numbers?;
        let texts: Result<_, _> =
            (0..shape.texts()).map(|_| columns::texts(reader, count)).collect();
        Ok(Self { shape, count, numbers, texts: texts?, given: 0 })
    }

    fn next(&mut self) -> Result<Box<[u8]>, Broken> {
        let row = self.given;
        if row == self.count {
            return Err(Broken("a rest for each outcome"));
        }
        self.given += 1;
        let text = |i: usize, out: &mut Vec<u8>| put_bytes(out, &self.texts[i][row]);
        Ok(together(&self.shape, |i| self.numbers[i][row], text))
    }
}

/// Gives the rests back to the entries they belong to.
pub(super) fn decode(rest: &[u8], entries: &mut [Packed]) -> Result<(), Broken> {
    let mut reader = Reader(rest);
    let shapes = reader.len()?;
    if shapes > MAX_SHAPES {
        return Err(Broken("no more shapes than are written"));
    }
    let tables: Result<Vec<_>, _> =
        (0..shapes).map(|_| Table::read(&mut reader, entries.len())).collect();
    let mut tables = tables?;
    let order = columns::section(&mut reader)?;
    let mut order = Reader(&order);
    let mut entries = entries.iter_mut();
    while !order.0.is_empty() {
        let table = tables.get_mut(order.len()?).ok_or(Broken("a known shape"))?;
        for _ in 0..order.len()? {
            entries.next().ok_or(Broken("an outcome for each rest"))?.rest = table.next()?;
        }
    }
    entries.next().map_or(Ok(()), |_| Err(Broken("a rest for each outcome")))
}
