//! The lab's own WBXML (MS-ASWBXML): a writer of fragments and a reader that lists what it meets,
//! by page and token. Written from the numbers alone, to be a check on whoever else knows them.

/// What a reader met: an element, and the text right inside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Met {
    pub(super) page: u8,
    pub(super) token: u8,
    pub(super) text: String,
}

/// A document in the making; it remembers the page.
pub(super) struct Document {
    bytes: Vec<u8>,
    page: u8,
}

impl Document {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0x03, 0x01, 0x6a, 0x00], page: 0 }
    }

    fn turn_to(&mut self, page: u8) {
        if page != self.page {
            self.bytes.extend([0x00, page]);
            self.page = page;
        }
    }

    pub(super) fn open(&mut self, page: u8, token: u8) -> &mut Self {
        self.turn_to(page);
        self.bytes.push(token | 0x40);
        self
    }

    pub(super) fn empty(&mut self, page: u8, token: u8) -> &mut Self {
        self.turn_to(page);
        self.bytes.push(token);
        self
    }

    pub(super) fn text(&mut self, page: u8, token: u8, text: &str) -> &mut Self {
        self.open(page, token);
        self.bytes.push(0x03);
        self.bytes.extend(text.bytes());
        self.bytes.extend([0x00, 0x01]);
        self
    }

    pub(super) fn close(&mut self) -> &mut Self {
        self.bytes.push(0x01);
        self
    }

    pub(super) fn end(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

/// Lists the elements of a document in the order of their beginnings; `None` where it is none.
pub(super) fn read(bytes: &[u8]) -> Option<Vec<Met>> {
    let mut rest = bytes.strip_prefix(&[0x03, 0x01, 0x6a, 0x00])?.iter().copied();
    let (mut page, mut met, mut open) = (0, Vec::new(), Vec::new());
    loop {
        match rest.next()? {
            0x00 => page = rest.next()?,
            0x01 => {
                open.pop()?;
                if open.is_empty() {
                    return Some(met);
                }
            }
            0x03 => {
                let text: Vec<u8> = rest.by_ref().take_while(|byte| *byte != 0).collect();
                let inside: usize = *open.last()?;
                met.get_mut(inside)?.text = String::from_utf8(text).ok()?;
            }
            // attributes, opaque bytes and the other global tokens are not for the lab
            token if token & 0x80 != 0 || token & 0x3f < 5 => return None,
            token => {
                if token & 0x40 != 0 {
                    open.push(met.len());
                }
                met.push(Met { page, token: token & 0x3f, text: String::new() });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_as_documented() {
        let mut document = Document::new();
        let bytes = document.open(7, 0x16).text(7, 0x12, "0").close().end();
        assert_eq!(bytes, *b"\x03\x01\x6a\x00\x00\x07\x56\x52\x030\x00\x01\x01");
        let met = |page, token, text: &str| Met { page, token, text: text.to_owned() };
        assert_eq!(read(&bytes), Some(vec![met(7, 0x16, ""), met(7, 0x12, "0")]));
        let bytes = Document::new().open(0, 5).empty(0, 0x13).text(17, 6, "1").close().end();
        assert_eq!(read(&bytes), Some(vec![met(0, 5, ""), met(0, 0x13, ""), met(17, 6, "1")]));
        assert_eq!(read(b"\x03\x01\x6a\x00\xff\xff"), None);
        assert_eq!(read(b"\x03\x01\x6a\x00\x45"), None);
    }
}
