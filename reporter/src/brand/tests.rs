//! What is read of logos, what is refused of them, and that no bytes make it panic.

use mailward_catalogue::Colour;

use super::*;

/// The brand of an invented organisation.
pub(crate) fn fernhill() -> Brand {
    let svg = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/brand/logo.svg"));
    Brand {
        organisation: "Fernhill Health Informatics".to_owned(),
        colour: Colour::parse("#1f3a6e").map(Tone),
        accent: Colour::parse("#00857c").map(Tone),
        footer: Some("Questions about this report: service.desk@example.org".to_owned()),
        url: Some("https://www.example.org/".to_owned()),
        logo: Some(logo(svg).unwrap()),
    }
}

use proptest::prelude::*;

use super::file::{Unfit, logo};

/// What is drawn of a file, in a word, or why nothing is.
fn told(read: Result<Logo, Unfit>) -> String {
    match read {
        Ok(Logo::Vector(vector)) => {
            let shapes = vector.shapes.iter().map(|shape| {
                let seen = if shape.opacity == 255 {
                    String::new()
                } else {
                    format!(" {}", shape.opacity)
                };
                format!("{}{seen} {}", shape.colour.0, String::from(shape.outline.clone()))
            });
            let shapes: Vec<String> = shapes.collect();
            format!("{}x{}: {}", vector.width, vector.height, shapes.join("; "))
        }
        Ok(Logo::Pixels(pixels)) => format!("{}x{} pixels", pixels.width, pixels.height),
        Err(unfit) => unfit.to_string(),
    }
}

fn svg(inner: &str) -> String {
    let xlink = "http://www.w3.org/1999/xlink";
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"{xlink}\" viewBox=\"0 0 20 10\">{inner}</svg>"
    )
}

fn check(inner: &str, expect: &str) {
    assert_eq!(told(logo(svg(inner).as_bytes())), expect, "{inner}");
}

/// A PNG of these samples.
fn png_of(size: (u32, u32), colours: png::ColorType, samples: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size.0, size.1);
    encoder.set_color(colours);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(samples).unwrap();
    writer.finish().unwrap();
    bytes
}

#[test]
fn shapes_become_outlines_in_plain_colours() {
    const SQUARE: &str = "M0 0L10000 0L10000 10000L0 10000Z";
    let rect = "<rect width='10' height='10' fill='#1f3a6e'/>";
    check(rect, &format!("20000x10000: #1f3a6e {SQUARE}"));
    // groups, what they hide, style sheets, and what a reader of plain files adds
    check(
        "<metadata/><style>.a{fill:red}</style><g opacity='.5'><rect class='a' width='10' height='10'/></g>",
        &format!("20000x10000: #ff0000 128 {SQUARE}"),
    );
    check(
        "<defs><g id='s'><rect width='5' height='5' fill='#00f'/></g></defs><use xlink:href='#s' x='5'/>",
        "20000x10000: #0000ff M5000 0L10000 0L10000 5000L5000 5000Z",
    );
    // a line is the outline it has
    check(
        "<path d='M0 5h10' stroke='#0a0' stroke-width='2'/>",
        "20000x10000: #00aa00 M0 4000L10000 4000L10000 6000L0 6000L0 4000Z",
    );
    // a gradient is its mean
    check(
        "<linearGradient id='g'><stop stop-color='#000'/><stop offset='1' stop-color='#00f'/>\
         </linearGradient><rect width='10' height='10' fill='url(#g)'/>",
        &format!("20000x10000: #000080 {SQUARE}"),
    );
    // a clip path that cuts nothing off, as drawing programs write it
    check(
        &format!(
            "<clipPath id='c'><path d='M0 0h20v10h-20z'/></clipPath><g clip-path='url(#c)'>{rect}</g>"
        ),
        &format!("20000x10000: #1f3a6e {SQUARE}"),
    );
}

#[test]
fn what_is_not_drawn_is_refused_by_name() {
    let only = |what: &str| {
        format!(
            "expected shapes in plain colours, lines and gradients; got {what}; turn it into \
             shapes when saving the logo"
        )
    };
    let rect = "<rect width='9' height='9'/>";
    check("<text>Fernhill</text>", &only("text"));
    check("<image href='data:image/png;base64,AAAA'/>", &only("an image"));
    check("<script>alert(1)</script>", &only("a script"));
    check("<foreignObject><b/></foreignObject>", &only("a foreign object"));
    check("<rect width='9' height='9'><animate attributeName='x'/></rect>", &only("an animation"));
    check("<mask id='m'/>", &only("a mask"));
    check("<path d='M0 5h9' stroke='red' stroke-dasharray='1e-9'/>", &only("a dashed line"));
    check(
        &format!("<clipPath id='c'><circle r='3'/></clipPath><g clip-path='url(#c)'>{rect}</g>"),
        &only("a clip path that cuts something off"),
    );
    check(&format!("<g style='mix-blend-mode:multiply'>{rect}</g>"), &only("a blend mode"));
    let itself = |what: &str| {
        format!("expected an SVG that refers to itself only; got a reference to {what:?}")
    };
    check("<use xlink:href='http://192.0.2.1/x.svg#a'/>", &itself("http://192.0.2.1/x.svg#a"));
    check("<use href='/etc/passwd'/>", &itself("/etc/passwd"));
    check("", "expected an SVG that draws something; got one that draws nothing");
    check(
        "<path d='M0 0L9e9 9e9L0 9z'/>",
        "expected points near the picture; got one that lies far away from it",
    );
    check("<rect", "expected a well-formed SVG; got expected a whitespace not '<' at 1:109");
}

#[test]
fn bombs_are_refused_before_they_go_off() {
    let much = "expected at most 5000 elements, 32 deep, each <use> counted as all it shows; got \
                more than that, or a <use> that shows itself";
    // ten uses of ten uses of …
    let mut laughs = "<g id='a0'><rect width='1' height='1'/></g>".to_owned();
    for i in 1..10 {
        let uses = format!("<use xlink:href='#a{}'/>", i - 1).repeat(10);
        laughs.push_str(&format!("<g id='a{i}'>{uses}</g>"));
    }
    check(&laughs, much);
    check("<g id='a'><use xlink:href='#a'/></g>", much);
    check("<g id='a'><use href='#b'/></g><g id='b'><use href='#a'/><use href='#a'/></g>", much);
    check(&format!("{}{}", "<g>".repeat(40), "</g>".repeat(40)), much);
    check(&format!("{}{}", "<g>".repeat(200_000), "</g>".repeat(200_000)), much);
    check(&"<g/>".repeat(6000), much);
    let entities = "expected an SVG without declarations of entities; got one that declares some";
    let declared = format!("<!DOCTYPE svg [<!ENTITY a \"aaaa\">]>{}", svg("<g>&a;</g>"));
    assert_eq!(told(logo(declared.as_bytes())), entities);
    let system =
        format!("<!DOCTYPE svg [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>{}", svg("&x;"));
    assert_eq!(told(logo(system.as_bytes())), entities);
    let many: String = (0..200).map(|i| format!(" a{i}='1'")).collect();
    check(
        &format!("<g{many}/>"),
        "expected at most 100 attributes of an element; got more than that",
    );
    let spaces: String = (0..99).map(|i| format!(" xmlns:a{i}='u:{i}'")).collect();
    check(
        &format!("<g{spaces}/>"),
        "expected at most 64 declarations of name spaces; got more than that",
    );
    check(
        "<style>g g g g g g{fill:red}</style>",
        "expected style sheets of at most 16384 bytes and 200 rules, each for at most 3 names; got \
         more than that",
    );
    check(
        &format!("<path d='M0 0{}'/>", "l1 1-1 0".repeat(30_000)),
        "expected outlines of at most 20000 points in all; got more than that",
    );
    // a document type that declares nothing is common
    let typed = format!(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"x\">\n<!-- <!ENTITY -->{}",
        svg("<rect width='20' height='10'/>")
    );
    assert!(told(logo(typed.as_bytes())).starts_with("20000x10000: #000000"), "{typed}");
}

#[test]
fn files_of_other_kinds_are_named() {
    let check = |bytes: &[u8], got: &str| {
        assert_eq!(told(logo(bytes)), format!("expected a PNG or an SVG; got {got}"));
    };
    check(b"", "an empty file");
    check(b"\xff\xd8\xff\xe0", "a JPEG");
    check(b"GIF89a", "a GIF");
    check(b"%PDF-1.7", "a PDF");
    check(b"\x1f\x8b\x08", "a gzip file (an SVGZ has to be unpacked first)");
    check(b"hello", "a text that is no SVG");
    check(b"\x00\x01\x80", "bytes that are no image we know");
    check(b"<html xmlns=\"http://www.w3.org/1999/xhtml\"/>", "an XML file of <html>");
}

#[test]
fn pixels_are_laid_on_white_and_made_as_small_as_print_needs() {
    let check = |bytes: &[u8], size: (u32, u32), first: [u8; 3]| {
        let Ok(Logo::Pixels(pixels)) = logo(bytes) else { panic!("{}", told(logo(bytes))) };
        assert_eq!((pixels.width, pixels.height), size);
        let rgb = pixels.rgb().unwrap();
        assert_eq!(rgb.len(), (size.0 * size.1 * 3) as usize);
        assert_eq!(rgb[..3], first);
    };
    use png::ColorType::{Grayscale, GrayscaleAlpha, Rgb, Rgba};
    check(&png_of((1, 1), Rgb, &[1, 2, 3]), (1, 1), [1, 2, 3]);
    check(&png_of((1, 1), Grayscale, &[9]), (1, 1), [9, 9, 9]);
    check(&png_of((1, 1), GrayscaleAlpha, &[0, 127]), (1, 1), [128; 3]);
    check(&png_of((2, 1), Rgba, &[255, 0, 0, 0, 0, 0, 0, 255]), (2, 1), [255; 3]);
    let checked: Vec<u8> = (0..1440 * 400).map(|i| if i % 2 == 0 { 0 } else { 200 }).collect();
    check(&png_of((1440, 400), Grayscale, &checked), (720, 200), [100; 3]);
    check(&png_of((4096, 2), Grayscale, &vec![7; 8192]), (720, 1), [7; 3]);
    check(&png_of((2, 4096), Grayscale, &vec![7; 8192]), (1, 200), [7; 3]);
}

#[test]
fn pngs_that_are_none_are_told() {
    let whole = png_of((4, 4), png::ColorType::Rgb, &[7; 48]);
    let check = |bytes: &[u8], expect: &str| {
        let got = told(logo(bytes));
        assert!(got.starts_with(expect), "{got}");
    };
    check(&whole[..20], "expected a PNG that can be read within 72 MiB; got a broken one (");
    check(&whole[..50], "expected a PNG that can be read within 72 MiB; got a broken one (");
    let white = png_of((4, 4), png::ColorType::Rgb, &[255; 48]);
    check(&white, "expected a picture that is seen on white; got one that is white all over");
    // a head that promises more than is there: 60,000 pixels a side
    let mut huge = whole.clone();
    huge[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let mut crc = flate2::Crc::new();
    crc.update(&huge[12..29]);
    huge[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    check(&huge, "expected at most 4,096 pixels a side and 16 million in all; got 60000 × 60000");
}

#[test]
fn a_file_is_read_within_bounds() {
    let directory = tempfile::tempdir().unwrap();
    let check = |name: &str, expect: &str| {
        let path = directory.path().join(name);
        let error = file::read(&path).map(|bytes| bytes.len()).unwrap_err();
        let source = std::error::Error::source(&error).map(|why| format!(": {why}"));
        let said = format!("{error}{}", source.unwrap_or_default());
        let place = directory.path().display().to_string();
        assert_eq!(said.replace(&place, "DIR"), expect);
    };
    check("none.png", "read DIR/none.png: No such file or directory (os error 2)");
    check("", "DIR/: expected a file; got a directory");
    let large = std::fs::File::create(directory.path().join("large.png")).unwrap();
    large.set_len(100 << 20).unwrap();
    check("large.png", "DIR/large.png: expected at most 2097152 bytes (2 MiB); got 104857600");
    std::fs::write(directory.path().join("cv.svg"), "To whom it may concern").unwrap();
    check("cv.svg", "DIR/cv.svg: expected a PNG or an SVG; got a text that is no SVG");
}

#[test]
fn what_is_shown_is_made_anew_and_says_nothing_else() {
    let inner = "<desc>secret</desc><rect id='x' onclick='alert(1)' width='9' height='9'/>";
    let drawn = logo(svg(inner).as_bytes()).unwrap();
    let (kind, bytes) = drawn.file();
    assert_eq!(kind, "image/svg+xml");
    insta::assert_snapshot!(String::from_utf8(bytes).unwrap(), @r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20000 10000"><path fill="#000000" d="M0 0L9000 0L9000 9000L0 9000Z"/></svg>"##);
    // what was made anew reads as what it was made from
    assert_eq!(logo(&drawn.file().1).unwrap(), drawn);
    let json = serde_json::to_string(&drawn).unwrap();
    assert_eq!(serde_json::from_str::<Logo>(&json).unwrap(), drawn);
}

#[test]
fn outlines_that_are_none_are_refused() {
    for text in ["M", "M1", "M1 2 3", "X1 2", "M1 2L9999999 0", "M1 2 L1e3 0", "é", "M1 2C1 2 3 4"]
    {
        assert!(Outline::try_from(text.to_owned()).is_err(), "{text}");
    }
}

/// Bits and pieces of SVGs, so that some are nearly well-formed.
fn rubbish() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "<g>",
        "</g>",
        "<use href='#a'/>",
        "<g id='a'>",
        "<rect width='9' height='1e9'/>",
        "<path d='M0 0C1 2 3 4 5 6 7 8A1 1 0 0 1 9 9Z' stroke='red'/>",
        "<circle r='-3'/>",
        "<g transform='matrix(1e20 0 0 1e20 0 0)'>",
        "<g transform='scale(0)'>",
        "<svg>",
        "</svg>",
        "<linearGradient id='a'/>",
        "<g fill='url(#a)'>",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "\"",
        "<style>g{",
        "}</style>",
        "&amp;",
        "&#0;",
        "<symbol id='a'>",
        "</symbol>",
        "NaN",
        "<a>",
        "<polygon points='1,2 3,4 5'/>",
        "<clipPath id='a'>",
        "</clipPath>",
        "<g clip-path='url(#a)'>",
        "<switch>",
        "<ellipse rx='1' ry='1e-30' stroke-width='1e30' stroke='#00f'/>",
    ]);
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), flip in 0usize..400) {
        let _ = logo(&bytes);
        let _ = logo(&[b"\x89PNG\r\n\x1a\n".as_slice(), &bytes].concat());
        let _ = logo(&[b"<svg xmlns='http://www.w3.org/2000/svg'>".as_slice(), &bytes].concat());
        let mut whole = png_of((4, 4), png::ColorType::Rgba, &[7; 64]);
        let at = flip % whole.len();
        whole[at] ^= u8::try_from(flip % 255).unwrap() + 1;
        let _ = logo(&whole);
    }

    #[test]
    fn nearly_an_svg_is_drawn_or_refused(inner in rubbish()) {
        if let Ok(drawn) = vector::read(&svg(&inner)) {
            // what was drawn can be kept, and drawn again
            let json = serde_json::to_string(&drawn).unwrap();
            prop_assert_eq!(serde_json::from_str::<Vector>(&json).unwrap(), drawn);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_share_of_a_pixel_is_counted_once(width in 1u32..900, height in 1u32..300) {
        let grey = vec![77u8; (width * height) as usize];
        let bytes = png_of((width, height), png::ColorType::Grayscale, &grey);
        let Ok(Logo::Pixels(pixels)) = logo(&bytes) else { panic!("{}", told(logo(&bytes))) };
        prop_assert!(pixels.width <= 720 && pixels.height <= 200);
        prop_assert!(pixels.rgb().unwrap().iter().all(|sample| *sample == 77));
    }
}
