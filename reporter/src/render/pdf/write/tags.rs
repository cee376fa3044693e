//! The structure tree in the file (ISO 32000-1, 14.7): nodes, the marks and links that are
//! theirs, and the way back from a mark to its node.

use lopdf::{Dictionary, Document, Object, ObjectId};

use super::{Numbers, rectangle, unicode};
use crate::render::pdf::sheet::{Link, Sheet, Target};
use crate::render::pdf::structure::{Kid, Node, ROOT, Role, Scope};
use crate::render::pdf::style::PAGE_HEIGHT;

/// The standard name of a role.
pub(super) const fn name(role: &Role) -> &'static str {
    match role {
        Role::Document => "Document",
        Role::Heading(1) => "H1",
        Role::Heading(_) => "H2",
        Role::Paragraph => "P",
        Role::List => "L",
        Role::Item => "LI",
        Role::Label => "Lbl",
        Role::Text => "LBody",
        Role::Table(_) => "Table",
        Role::Row => "TR",
        Role::HeadCell(..) => "TH",
        Role::Cell => "TD",
        Role::Figure(_) => "Figure",
        Role::Contents => "TOC",
        Role::Entry => "TOCI",
        Role::Reference => "Reference",
        Role::Link => "Link",
    }
}

/// Writes the tree, the links, and where both are found.
pub(super) fn tag(
    document: &mut Document,
    sheet: &Sheet<'_>,
    pages: &[ObjectId],
    numbers: &Numbers,
) {
    let root = document.new_object_id();
    let ids: Vec<ObjectId> = sheet.tree.nodes.iter().map(|_| document.new_object_id()).collect();
    let links: Vec<ObjectId> = sheet.links.iter().map(|_| document.new_object_id()).collect();
    let writer = Writer { sheet, pages, numbers, ids: &ids, links: &links };
    for (i, node) in sheet.tree.nodes.iter().enumerate() {
        let parent = if i == ROOT { root } else { writer.id(node.parent) };
        document.objects.insert(ids[i], Object::Dictionary(writer.element(node, parent)));
    }
    let mut entries = Vec::new();
    for (number, page) in pages.iter().enumerate() {
        let nodes = numbers.nodes.get(&number).map_or(&[][..], Vec::as_slice);
        let owners = nodes.iter().map(|node| Object::Reference(writer.id(*node))).collect();
        let owners = document.add_object(Object::Array(owners));
        entries.extend([whole(number), Object::Reference(owners)]);
        writer.page(document, number, *page);
    }
    for (i, link) in sheet.links.iter().enumerate() {
        let key = pages.len() + i;
        entries.extend([whole(key), Object::Reference(writer.id(link.node))]);
        document.objects.insert(links[i], Object::Dictionary(writer.link(link, key)));
    }
    let mut parents = Dictionary::new();
    parents.set("Nums", entries);
    let parents = document.add_object(parents);
    let mut tree = Dictionary::new();
    tree.set("Type", "StructTreeRoot");
    tree.set("K", writer.id(ROOT));
    tree.set("ParentTree", parents);
    tree.set("ParentTreeNextKey", whole(pages.len() + links.len()));
    document.objects.insert(root, Object::Dictionary(tree));
    if let Ok(catalog) = document.catalog_mut() {
        catalog.set("StructTreeRoot", root);
        let mut marked = Dictionary::new();
        marked.set("Marked", true);
        catalog.set("MarkInfo", marked);
    }
}

fn whole(n: usize) -> Object {
    Object::Integer(i64::try_from(n).unwrap_or(i64::MAX))
}

struct Writer<'s> {
    sheet: &'s Sheet<'s>,
    pages: &'s [ObjectId],
    numbers: &'s Numbers,
    ids: &'s [ObjectId],
    links: &'s [ObjectId],
}

impl Writer<'_> {
    fn id(&self, node: usize) -> ObjectId {
        self.ids.get(node).copied().unwrap_or_default()
    }

    fn page_id(&self, page: usize) -> ObjectId {
        self.pages.get(page).copied().unwrap_or_default()
    }

    /// The page of a node's first marks.
    fn page_of(&self, node: &Node) -> Option<usize> {
        node.kids.iter().find_map(|kid| match kid {
            Kid::Run(run) => self.sheet.tree.runs.get(*run).map(|run| run.page),
            Kid::Annotation(link) => self.sheet.links.get(*link).map(|link| link.page),
            Kid::Node(_) => None,
        })
    }

    fn element(&self, node: &Node, parent: ObjectId) -> Dictionary {
        let mut element = Dictionary::new();
        element.set("S", name(&node.role));
        element.set("P", parent);
        let page = match &node.role {
            Role::Figure(_) => self.page_of(node).or(Some(0)),
            _ => self.page_of(node),
        };
        if let Some(page) = page {
            element.set("Pg", self.page_id(page));
        }
        let mut kids: Vec<Object> = node.kids.iter().map(|kid| self.kid(*kid, page)).collect();
        match kids.len() {
            0 => {}
            1 => element.set("K", kids.remove(0)),
            _ => element.set("K", kids),
        }
        match &node.role {
            Role::Figure(figure) => {
                element.set("Alt", unicode(&figure.alt));
                let mut layout = attributes("Layout");
                layout.set("Placement", "Block");
                layout.set("BBox", rectangle(figure.frame));
                element.set("A", layout);
            }
            Role::HeadCell(scope, spoken) => {
                if !spoken.is_empty() {
                    element.set("ActualText", unicode(spoken));
                }
                let mut table = attributes("Table");
                table.set(
                    "Scope",
                    match scope {
                        Scope::Row => "Row",
                        Scope::Column => "Column",
                    },
                );
                element.set("A", table);
            }
            Role::Table(summary) => {
                let mut table = attributes("Table");
                table.set("Summary", unicode(summary));
                element.set("A", table);
            }
            Role::List => {
                let mut list = attributes("List");
                list.set("ListNumbering", "None");
                element.set("A", list);
            }
            _ => {}
        }
        element
    }

    fn kid(&self, kid: Kid, home: Option<usize>) -> Object {
        match kid {
            Kid::Node(node) => Object::Reference(self.id(node)),
            Kid::Run(run) => {
                let number = Object::Integer(self.numbers.of(run));
                let page = self.sheet.tree.runs.get(run).map(|run| run.page);
                if page == home {
                    return number;
                }
                let mut elsewhere = Dictionary::new();
                elsewhere.set("Type", "MCR");
                elsewhere.set("Pg", self.page_id(page.unwrap_or_default()));
                elsewhere.set("MCID", number);
                Object::Dictionary(elsewhere)
            }
            Kid::Annotation(link) => {
                let mut object = Dictionary::new();
                object.set("Type", "OBJR");
                let page = self.sheet.links.get(link).map_or(0, |link| link.page);
                object.set("Pg", self.page_id(page));
                object.set("Obj", self.links.get(link).copied().unwrap_or_default());
                Object::Dictionary(object)
            }
        }
    }

    /// What a page says of its structure and links, in place of what the library made up.
    fn page(&self, document: &mut Document, number: usize, page: ObjectId) {
        let own = self.sheet.links.iter().zip(self.links);
        let own = own.filter(|(link, _)| link.page == number);
        let own: Vec<Object> = own.map(|(_, id)| Object::Reference(*id)).collect();
        let Ok(Object::Dictionary(page)) = document.get_object_mut(page) else { return };
        page.set("StructParents", whole(number));
        page.set("Tabs", "S");
        if own.is_empty() {
            page.remove(b"Annots");
        } else {
            page.set("Annots", own);
        }
    }

    fn link(&self, link: &Link, key: usize) -> Dictionary {
        let mut annotation = Dictionary::new();
        annotation.set("Type", "Annot");
        annotation.set("Subtype", "Link");
        annotation.set("Rect", rectangle(link.frame));
        annotation.set("Border", vec![Object::Integer(0); 3]);
        // printed with the page, as an archive demands
        annotation.set("F", 4);
        annotation.set("Contents", unicode(&link.says));
        annotation.set("StructParent", whole(key));
        let heading = match &link.target {
            Target::Address(address) => {
                let mut action = Dictionary::new();
                action.set("S", "URI");
                action.set("URI", Object::string_literal(address.as_str()));
                annotation.set("A", action);
                None
            }
            Target::Heading(heading) => Some(*heading),
            Target::Appendix(part) => self.sheet.appendices.get(*part).copied(),
        };
        if let Some(heading) = heading.and_then(|heading| self.sheet.headings.get(heading)) {
            annotation.set("Dest", place(self.page_id(heading.page), heading.top));
        }
        annotation
    }
}

fn attributes(owner: &str) -> Dictionary {
    let mut attributes = Dictionary::new();
    attributes.set("O", owner);
    attributes
}

/// A place on a page, a little above what stands there.
pub(super) fn place(page: ObjectId, top: f32) -> Object {
    let top = super::points(PAGE_HEIGHT - (top - 4.0).max(0.0));
    let zero = Object::Integer(0);
    Object::Array(vec![
        Object::Reference(page),
        "XYZ".into(),
        zero,
        Object::Real(top),
        Object::Null,
    ])
}
