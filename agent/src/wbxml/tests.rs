//! Known documents both ways, limits, and whatever bytes there are.

use data_encoding::HEXLOWER;
use proptest::prelude::*;

use super::tag::*;
use super::*;

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

#[test]
fn known_documents_both_ways() {
    let check = |element: &Element, expect: &str| {
        assert_eq!(hex(&write(element)), expect);
        assert_eq!(read(&unhex(expect)).as_ref(), Ok(element));
    };
    let folder_sync = Element::with(FOLDER_SYNC, [Element::text(FOLDER_KEY, "0")]);
    check(&folder_sync, "03016a00000756520330000101");
    // a status on another page than the rest of the answer, as servers are seen to send it
    let not_provisioned = Element::with(FOLDER_SYNC, [Element::text(SYNC_STATUS, "142")]);
    check(&not_provisioned, "03016a0000075600004e03313432000101");
    let acknowledged = Element::with(
        PROVISION,
        [Element::with(
            POLICIES,
            [Element::with(
                POLICY,
                [
                    Element::text(POLICY_TYPE, "MS-EAS-Provisioning-WBXML"),
                    Element::text(POLICY_KEY, "1306482227"),
                    Element::text(POLICY_STATUS, "1"),
                ],
            )],
        )],
    );
    check(
        &acknowledged,
        "03016a00000e454647480\
         34d532d4541532d50726f766973696f6e696e672d5742584d4c000149033133303634383232323700014b\
         03310001010101",
    );
    let opaque = Element {
        tag: Tag::new(21, 0x10),
        inside: vec![Node::Opaque(vec![b'x'; 300].into_boxed_slice())],
    };
    check(&opaque, &format!("03016a00001550c3822c{}01", "78".repeat(300)));
}

#[test]
fn a_recorded_answer_is_read() {
    // SOGo 5.8 on Provision: it has no policy
    let recorded = "03016a00000e454b03310001464748034d532d4541532d50726f766973696f6e696e672d5742\
                    584d4c00014b03320001010101";
    let answer = read(&unhex(recorded)).unwrap();
    assert_eq!(answer.value_at(&[POLICY_STATUS]), Some("1"));
    assert_eq!(answer.value_at(&[POLICIES, POLICY, POLICY_STATUS]), Some("2"));
    assert_eq!(answer.value_at(&[POLICIES, POLICY, POLICY_KEY]), None);
}

#[test]
fn what_servers_may_do_beyond_the_letter() {
    let check = |document: &str, expect: &str| {
        let read = read(&unhex(document)).unwrap();
        let told: Vec<_> =
            read.children().map(|c| (c.tag, c.value().unwrap_or("-").to_owned())).collect();
        assert_eq!(format!("{} {told:?}", read.tag), expect, "{document}");
    };
    let plain = r#"FolderHierarchy:FolderSync [(FolderHierarchy:Status, "1")]"#;
    check("03016a0000 07 56 4c 033100 01 01", plain);
    check("02016a0000 07 56 4c 033100 01 01", plain);
    check("03016a00 0007 56 4c c30131 01 01", plain);
    check("03016a00 0007 56 4c 0231 01 01", plain);
    // public id by string table, a table that nothing refers to, no charset, bytes after the end
    check("0300000003 616200 0007 56 4c 033100 01 01 00ff", plain);
    // tags without a name, on a known page and on an unknown one, with and without content
    check(
        "03016a00 0007 56 3f 7e033100 01 0063 05 01",
        r#"FolderHierarchy:FolderSync [(7:3f, "-"), (7:3e, "1"), (99:05, "-")]"#,
    );
    check(
        "03016a00 0007 56 4c 03ff00 01 01",
        "FolderHierarchy:FolderSync [(FolderHierarchy:Status, \"\u{fffd}\")]",
    );
    check("03016a00 0007 16", "FolderHierarchy:FolderSync []");
}

#[test]
fn what_is_no_document() {
    let check = |document: &[u8], expect: &str| {
        assert_eq!(read(document).unwrap_err().to_string(), expect);
    };
    let told = |document: &str, expect: &str| check(&unhex(document), expect);
    check(b"", "the document ends at byte 0, in the middle of something");
    check(b"<html>", "expected WBXML 1.1 to 1.3, got a first byte of 0x3c");
    told("03016a00", "the document ends at byte 4, in the middle of something");
    told("03010400", "expected the character set 106 (UTF-8), got 4");
    told("03016a00ffffff", "expected a token that ActiveSync uses, got 0xff at byte 4");
    told("03016a0001", "expected an element, got none by byte 4");
    told("03016a00033100", "expected an element, got none by byte 4");
    told("03016a0045", "the document ends at byte 5, in the middle of something");
    told("03016a004503 31", "the document ends at byte 7, in the middle of something");
    told("03016a0045c305 31", "the document ends at byte 8, in the middle of something");
    told("03016a0045c3ffffffff7f", "the number at byte 6 has more than 32 bits");
    told("03016a0045c3c1800031", "the document has more than 1048576 bytes in a string");
    told("03016a00c50601", "expected a token that ActiveSync uses, got 0xc5 at byte 4");
    let head = unhex("03016a00");
    let deep = [head.clone(), vec![0x45; 33]].concat();
    check(&deep, "the document has more than 32 levels");
    let many = [head.clone(), vec![0x45], vec![0x05; MAX_NODES]].concat();
    check(&many, "the document has more than 200000 nodes");
    let long = [head, vec![0x45, 0x03], vec![b'a'; MAX_STRING_BYTES + 1]].concat();
    check(&long, "the document has more than 1048576 bytes in a string");
    check(&vec![3; MAX_BYTES + 1], "the document has more than 2097152 bytes");
}

#[test]
fn tags_have_the_numbers_of_their_names() {
    for (tag, name) in NAMED {
        assert_eq!(tag.to_string(), *name);
    }
    let check = |page, token, expect: &str| assert_eq!(Tag::new(page, token).to_string(), expect);
    // the last of some pages, where a name that was left out would show
    check(0, 0x29, "AirSync:HeartbeatInterval");
    check(2, 0x0f, "Email:DateReceived");
    check(2, 0x3f, "Email:DisallowNewTimeProposal");
    check(7, 0x17, "FolderHierarchy:Count");
    check(13, 0x0d, "Ping:MaxFolders");
    check(17, 0x18, "AirSyncBase:Preview");
    check(18, 0x2b, "Settings:RightsManagementInformation");
    check(20, 0x19, "ItemOperations:MoveAlways");
    check(21, 0x13, "ComposeMail:AccountId");
    check(22, 0x17, "Email2:Send");
    check(24, 0x18, "RightsManagement:RemoveRightsManagementProtection");
    let status = |page, token| Tag::new(page, token).is_status();
    assert!(status(0, 0x0e) && status(7, 0x0c) && status(13, 0x07) && status(14, 0x0b));
    assert!(status(6, 0x0e) && status(18, 0x06) && status(20, 0x0d) && status(21, 0x12));
    assert!(!status(0, 0x0b) && !status(99, 0x0e));
}

fn any_element() -> impl Strategy<Value = Element> {
    let tag = (0..30_u8, 5..0x40_u8).prop_map(|(page, token)| Tag::new(page, token));
    let leaf = (tag.clone(), proptest::option::of(any_text()))
        .prop_map(|(tag, node)| Element { tag, inside: node.into_iter().collect() });
    leaf.prop_recursive(6, 64, 6, move |inner| {
        let node = prop_oneof![3 => inner.prop_map(Node::Element), 1 => any_text()];
        (tag.clone(), proptest::collection::vec(node, 0..6))
            .prop_map(|(tag, inside)| Element { tag, inside })
    })
}

fn any_text() -> impl Strategy<Value = Node> {
    prop_oneof![
        "[^\0]{0,40}".prop_map(|text| Node::Text(text.into())),
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(|b| Node::Opaque(b.into())),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(element in any_element()) {
        prop_assert_eq!(read(&write(&element)), Ok(element));
    }

    #[test]
    fn no_bytes_upset_it(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes);
        let _ = read(&[&[3, 1, 0x6a, 0], &*bytes].concat());
    }

    #[test]
    fn a_document_cut_anywhere_is_no_document(element in any_element(), at in any::<prop::sample::Index>()) {
        let whole = write(&element);
        let end = at.index(whole.len());
        prop_assert!(read(&whole[..end]).is_err());
    }
}
