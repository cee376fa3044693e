//! The logical structure of the report: what a screen reader is told, in reading order. Nodes
//! know which marks are theirs by runs; how they are written to a file is `write`'s.

/// What a node is (ISO 32000-1, 14.8.4).
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Role {
    Document,
    /// 1 is the title.
    Heading(u8),
    Paragraph,
    List,
    Item,
    Label,
    Text,
    /// With what it is a table of.
    Table(String),
    Row,
    /// With what is said in place of what it shows, where that is not all.
    HeadCell(Scope, String),
    Cell,
    Figure(Figure),
    Contents,
    Entry,
    Reference,
    Link,
}

/// Which cells a head is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Row,
    Column,
}

/// A drawing: what it says in words, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figure {
    pub(super) alt: String,
    /// Left, top, right and bottom in millimetres from the page's top left corner.
    pub(super) frame: [f32; 4],
}

/// What belongs to a node, in reading order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kid {
    Node(usize),
    Run(usize),
    /// A link that can be followed.
    Annotation(usize),
}

/// A node and what belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) role: Role,
    pub(super) parent: usize,
    pub(super) kids: Vec<Kid>,
}

/// Marks of one node that follow each other on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) node: usize,
    /// From 0.
    pub(super) page: usize,
}

/// The root of every tree.
pub(super) const ROOT: usize = 0;

/// All nodes, the root first, each after its parent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    pub(super) runs: Vec<Run>,
}

impl Default for Tree {
    fn default() -> Self {
        let root = Node { role: Role::Document, parent: ROOT, kids: Vec::new() };
        Self { nodes: vec![root], runs: Vec::new() }
    }
}

impl Tree {
    /// A new last child of a node.
    pub(super) fn add(&mut self, parent: usize, role: Role) -> usize {
        let id = self.nodes.len();
        self.nodes.push(Node { role, parent, kids: Vec::new() });
        self.adopt(parent, Kid::Node(id));
        id
    }

    /// A new run of a node's marks on a page.
    pub(super) fn run(&mut self, node: usize, page: usize) -> usize {
        let id = self.runs.len();
        self.runs.push(Run { node, page });
        self.adopt(node, Kid::Run(id));
        id
    }

    pub(super) fn adopt(&mut self, node: usize, kid: Kid) {
        if let Some(node) = self.nodes.get_mut(node) {
            node.kids.push(kid);
        }
    }
}
