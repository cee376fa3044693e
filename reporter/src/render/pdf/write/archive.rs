//! What makes the file last (PDF/A-2a) and speak for itself (PDF/UA-1): title, language and
//! identity, as XMP and as the older dictionary, and the colours it was made for.

use lopdf::{Dictionary, Document, Object, Stream, StringFormat};

use super::{Imprint, colours, unicode};
use crate::render::pdf::PdfError;

/// Title, language, dates, identity and colours, in place of what the library made up.
pub(super) fn describe(document: &mut Document, imprint: &Imprint) -> Result<(), PdfError> {
    "1.7".clone_into(&mut document.version);
    let info = document.add_object(information(imprint));
    if let Ok(Object::Reference(old)) = document.trailer.get(b"Info").cloned() {
        document.objects.remove(&old);
    }
    document.trailer.set("Info", info);
    let id = imprint.digest.get(..32).unwrap_or(&imprint.digest).as_bytes().to_vec();
    let id = Object::String(id, StringFormat::Literal);
    document.trailer.set("ID", Object::Array(vec![id.clone(), id]));

    let mut metadata = Dictionary::new();
    metadata.set("Type", "Metadata");
    metadata.set("Subtype", "XML");
    // read by programs that know nothing of PDF, so never compressed
    let xmp = Stream::new(metadata, xmp(imprint).into_bytes()).with_compression(false);
    let xmp = document.add_object(xmp);
    let mut profile = Dictionary::new();
    profile.set("N", 3);
    let profile = document.add_object(Stream::new(profile, colours::srgb()));
    let mut intent = Dictionary::new();
    intent.set("Type", "OutputIntent");
    intent.set("S", "GTS_PDFA1");
    intent.set("OutputConditionIdentifier", Object::string_literal("sRGB IEC61966-2.1"));
    intent.set("Info", Object::string_literal("sRGB IEC61966-2.1"));
    intent.set("DestOutputProfile", profile);

    let catalog = document.catalog_mut().map_err(|_| PdfError::Incomplete)?;
    catalog.set("Metadata", xmp);
    catalog.set("OutputIntents", vec![Object::Dictionary(intent)]);
    catalog.set("Lang", Object::string_literal(imprint.language.as_str()));
    let mut preferences = Dictionary::new();
    preferences.set("DisplayDocTitle", true);
    catalog.set("ViewerPreferences", preferences);
    Ok(())
}

fn information(imprint: &Imprint) -> Dictionary {
    let mut info = Dictionary::new();
    for (key, value) in [
        ("Title", &imprint.title),
        ("Author", &imprint.author),
        ("Subject", &imprint.subject),
        ("Creator", &imprint.producer),
        ("Producer", &imprint.producer),
    ] {
        if !value.is_empty() {
            info.set(key, unicode(value));
        }
    }
    // `D:20261105060000Z` (ISO 32000-1, 7.9.4)
    let digits: String = imprint.created.chars().filter(char::is_ascii_digit).collect();
    for key in ["CreationDate", "ModDate"] {
        info.set(key, Object::string_literal(format!("D:{digits}Z")));
    }
    info
}

/// The metadata packet (ISO 16684-1). PDF/A wants the one schema that is not its own described.
fn xmp(imprint: &Imprint) -> String {
    let (title, subject) = (escaped(&imprint.title), escaped(&imprint.subject));
    let (producer, created) = (escaped(&imprint.producer), escaped(&imprint.created));
    let author = match imprint.author.as_str() {
        "" => String::new(),
        author => format!(
            "\n   <dc:creator><rdf:Seq><rdf:li>{}</rdf:li></rdf:Seq></dc:creator>",
            escaped(author)
        ),
    };
    let publisher = match imprint.publisher.as_str() {
        "" => String::new(),
        publisher => format!(
            "\n   <dc:publisher><rdf:Bag><rdf:li>{}</rdf:li></rdf:Bag></dc:publisher>",
            escaped(publisher)
        ),
    };
    let language = escaped(&imprint.language);
    let digest = escaped(imprint.digest.get(..32).unwrap_or(&imprint.digest));
    format!(
        r#"<?xpacket begin="{bom}" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"
    xmlns:pdf="http://ns.adobe.com/pdf/1.3/"
    xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"
    xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/"
    xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/"
    xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#"
    xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">
   <dc:format>application/pdf</dc:format>
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
   <dc:description><rdf:Alt><rdf:li xml:lang="x-default">{subject}</rdf:li></rdf:Alt></dc:description>
   <dc:language><rdf:Bag><rdf:li>{language}</rdf:li></rdf:Bag></dc:language>{author}{publisher}
   <xmp:CreateDate>{created}</xmp:CreateDate>
   <xmp:ModifyDate>{created}</xmp:ModifyDate>
   <xmp:CreatorTool>{producer}</xmp:CreatorTool>
   <xmpMM:DocumentID>urn:mailward:{digest}</xmpMM:DocumentID>
   <pdf:Producer>{producer}</pdf:Producer>
   <pdfaid:part>2</pdfaid:part>
   <pdfaid:conformance>A</pdfaid:conformance>
   <pdfuaid:part>1</pdfuaid:part>
   <pdfaExtension:schemas>
    <rdf:Bag>
     <rdf:li rdf:parseType="Resource">
      <pdfaSchema:schema>PDF/UA Universal Accessibility Schema</pdfaSchema:schema>
      <pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>
      <pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix>
      <pdfaSchema:property>
       <rdf:Seq>
        <rdf:li rdf:parseType="Resource">
         <pdfaProperty:name>part</pdfaProperty:name>
         <pdfaProperty:valueType>Integer</pdfaProperty:valueType>
         <pdfaProperty:category>internal</pdfaProperty:category>
         <pdfaProperty:description>Part of ISO 14289 that the file conforms to</pdfaProperty:description>
        </rdf:li>
       </rdf:Seq>
      </pdfaSchema:property>
     </rdf:li>
    </rdf:Bag>
   </pdfaExtension:schemas>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"#,
        bom = '\u{feff}',
    )
}

/// Text for XML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in super::readable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}
