"""archive.py FILE...: the clauses of PDF/A-2a (ISO 19005-2) that a file of ours can break, checked
by a reader that is not ours. Prints each breach with its clause; exits 1 if there is any."""

import struct
import sys
from xml.etree import ElementTree

import pikepdf

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
PDFAID = "{http://www.aiim.org/pdfa/ns/id/}"
PDFUAID = "{http://www.aiim.org/pdfua/ns/id/}"
SCHEMA = "{http://www.aiim.org/pdfa/ns/schema#}"
DC = "{http://purl.org/dc/elements/1.1/}"


def header(data):
    if not data.startswith(b"%PDF-1.7\n"):
        yield "6.1.2: header"
    comment = data.split(b"\n")[1]
    if comment[:1] != b"%" or len(comment) < 5 or any(byte < 128 for byte in comment[1:5]):
        yield "6.1.2: the second line is no comment of four high bytes"
    if data[-6:].strip(b"\n") != b"%%EOF":
        yield "6.1.3: bytes after the end"


def metadata(pdf):
    stream = pdf.Root.get("/Metadata")
    if stream is None or "/Filter" in stream:
        yield "6.6.2.1: no metadata, or compressed"
        return
    tree = ElementTree.fromstring(stream.read_bytes())
    said = {child.tag: child for found in tree.iter(RDF + "Description") for child in found}
    for tag, expected in ((PDFAID + "part", "2"), (PDFAID + "conformance", "A"), (PDFUAID + "part", "1")):
        if tag not in said or said[tag].text != expected:
            yield f"6.6.4: {tag} is not {expected}"
    title = said[DC + "title"].find(f"{RDF}Alt/{RDF}li").text
    if str(pdf.docinfo.get("/Title")) != title:
        yield "6.6.3: title differs from the document information"
    if not any(found.text == "http://www.aiim.org/pdfua/ns/id/" for found in tree.iter(SCHEMA + "namespaceURI")):
        yield "6.6.2.3: the pdfuaid schema is not described"


def colours(pdf):
    intents = pdf.Root.get("/OutputIntents", [])
    if len(intents) != 1 or intents[0].S != "/GTS_PDFA1":
        yield "6.2.3: no output intent"
        return
    profile = intents[0].DestOutputProfile
    data = profile.read_bytes()
    size, version, kind, space = struct.unpack(">I4xI4s4s", data[:20])
    if (size, kind, space, int(profile.N)) != (len(data), b"mntr", b"RGB ", 3) or version >> 24 > 4:
        yield "6.2.3: the profile is no RGB display profile"
    count = struct.unpack(">I", data[128:132])[0]
    tags = {}
    for i in range(count):
        name, offset, length = struct.unpack(">4sII", data[132 + 12 * i:144 + 12 * i])
        tags[name] = data[offset:offset + length]
        if offset % 4 or offset + length > len(data):
            yield f"ICC 7.3: tag {name} lies outside or uneven"
    wanted = {b"desc", b"cprt", b"wtpt", b"chad", b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"}
    if wanted - set(tags):
        yield f"ICC 8.3.3: tags missing: {wanted - set(tags)}"
    # the primaries add up to the white of the connection space, but for rounding
    total = [sum(struct.unpack(">8x3i", tags[name])[i] for name in (b"rXYZ", b"gXYZ", b"bXYZ")) for i in range(3)]
    if any(abs(a - b) > 16 for a, b in zip(total, struct.unpack(">3i", data[68:80]))):
        yield f"ICC: primaries add up to {total}"


def advances(program):
    """Units per em and the widths of a TrueType program's glyphs."""
    count = struct.unpack(">H", program[4:6])[0]
    tables = {}
    for i in range(count):
        tag, _, offset, length = struct.unpack(">4sIII", program[12 + 16 * i:28 + 16 * i])
        tables[tag] = program[offset:offset + length]
    units = struct.unpack(">H", tables[b"head"][18:20])[0]
    metrics = struct.unpack(">H", tables[b"hhea"][34:36])[0]
    glyphs = struct.unpack(">H", tables[b"maxp"][4:6])[0]
    own = [struct.unpack(">H", tables[b"hmtx"][4 * i:4 * i + 2])[0] for i in range(metrics)]
    return units, own + [own[-1]] * (glyphs - metrics)


def widths(array):
    rest = list(array)
    while rest:
        first = int(rest.pop(0))
        following = rest.pop(0)
        if isinstance(following, pikepdf.Array):
            yield from ((first + i, float(width)) for i, width in enumerate(following))
        else:
            width = float(rest.pop(0))
            yield from ((code, width) for code in range(first, int(following) + 1))


def fonts(pdf):
    for name, font in pdf.pages[0].Resources.Font.items():
        below = font.DescendantFonts[0]
        descriptor = below.FontDescriptor
        if font.Encoding != "/Identity-H" or below.get("/CIDToGIDMap") != "/Identity":
            yield f"6.2.11.3: {name} is not mapped by identity"
        if len({str(font.BaseFont), str(below.BaseFont), str(descriptor.FontName)}) != 1:
            yield f"6.2.11.2: {name} has several names"
        if "/FontFile2" not in descriptor:
            yield f"6.2.11.4: {name} is not embedded"
            continue
        units, glyphs = advances(descriptor.FontFile2.read_bytes())
        for code, width in widths(below.W):
            if code >= len(glyphs) or abs(glyphs[code] * 1000 / units - width) > 1:
                yield f"6.2.11.5: {name}: glyph {code} is not {width} wide"
        text = font.ToUnicode.read_bytes().decode().upper()
        if any(f"<{bad}>" in text for bad in ("0000> <0000", "FEFF", "FFFE")):
            yield f"6.2.11.7.2: {name} maps to no letter"
    shown = {pikepdf.Operator(word) for word in ("Tj", "TJ")}
    for page in pdf.pages:
        for operands, operator in pikepdf.parse_content_stream(page):
            if operator in shown and b"\0\0" in {bytes(operands[0])[i:i + 2] for i in range(0, len(bytes(operands[0])), 2)}:
                yield "6.2.11.8: a text refers to .notdef"


def everything(pdf):
    if "/Encrypt" in pdf.trailer or "/ID" not in pdf.trailer:
        yield "6.1.3: encrypted, or without an identity"
    banned = {"/JavaScript", "/JS", "/Launch", "/AA", "/EmbeddedFiles", "/XFA", "/OpenAction", "/SMask", "/TR", "/HTP"}
    for thing in pdf.objects:
        if isinstance(thing, (pikepdf.Dictionary, pikepdf.Stream)):
            keys = set(thing.keys())
            if keys & banned:
                yield f"6.5, 6.2.5: {keys & banned}"
            if "/F" in keys and isinstance(thing, pikepdf.Stream):
                yield "6.1.7: a stream outside the file"
            if thing.get("/Subtype") == "/Link" and int(thing.get("/F", 0)) & 0b111111 != 4:
                yield "6.3.2: an annotation that is not printed"
            if str(thing.get("/Filter", "")) == "/LZWDecode":
                yield "6.1.7.2: LZW"
    root = pdf.Root
    if not root.MarkInfo.Marked or "/StructTreeRoot" not in root or not str(root.Lang):
        yield "6.7: not tagged, or without a language"


def main(paths):
    found = 0
    for path in paths:
        with open(path, "rb") as file:
            data = file.read()
        with pikepdf.open(path) as pdf:
            for check in (metadata, colours, fonts, everything):
                for breach in check(pdf):
                    print(f"{path}: {breach}")
                    found = 1
        for breach in header(data):
            print(f"{path}: {breach}")
            found = 1
    return found


sys.exit(main(sys.argv[1:]))
