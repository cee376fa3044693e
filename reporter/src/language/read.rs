//! Reads the texts of a language and judges each: known keys, the holes that the program fills,
//! no more than there is room for, nothing that cannot be drawn. Faults name the place.

use std::collections::{BTreeMap, BTreeSet};

use mailward_catalogue::{Fault, Phrase, Wording, Written, read::nearest};
use mailward_evidence::Reason;

use super::Language;
use super::name::{is_tag, undrawable};
use super::plural::{Form, Plural, Rule};
use super::template::{Misfit, Template};

/// How many characters a text may have beyond three times the English one.
const ROOM: usize = 24;
/// The most characters of a name of a month or a day, or of a mark in a number.
const MAX_NAME: usize = 24;
/// The most characters of a reason, as a clause.
const MAX_REASON: usize = 300;

/// A language while it is read.
pub(super) struct Reader<'w> {
    phrases: BTreeMap<&'w str, &'w Phrase>,
    taken: BTreeSet<String>,
    faults: Vec<Fault>,
    rule: Rule,
    group: String,
    /// Whether what is absent is a fault.
    complete: bool,
    own: Option<&'w Phrase>,
}

impl<'w> Reader<'w> {
    pub(super) fn new(wording: &'w Wording, base: Option<&Language>) -> Self {
        let phrases = wording.texts.iter().map(|phrase| (phrase.key.as_str(), phrase)).collect();
        let mut reader = Self {
            phrases,
            taken: BTreeSet::new(),
            faults: Vec::new(),
            rule: Rule::One,
            group: String::new(),
            complete: base.is_none(),
            own: wording.texts.first(),
        };
        reader.rule = reader.rule();
        let group = base.map(|base| base.number.group().to_owned()).unwrap_or_default();
        reader.group = match reader.phrases.get("number.group").map(|phrase| &phrase.written) {
            Some(Written::Text(own)) => own.clone(),
            _ => group,
        };
        reader
    }

    fn take(&mut self, key: &str) -> Option<&'w Phrase> {
        self.taken.insert(key.to_owned());
        self.phrases.get(key).copied()
    }

    fn fault(&mut self, phrase: &Phrase, message: &str) {
        self.faults.push(phrase.fault(format!("{}: {message}", phrase.key)));
    }

    /// A key that is not there: a fault only where nothing stands for it.
    fn absent(&mut self, key: &str) {
        if let (true, Some(first)) = (self.complete, self.own) {
            self.faults.push(first.fault(format!("expected a text {key}")));
        }
    }

    fn text(&mut self, phrase: &'w Phrase) -> Option<&'w str> {
        let Written::Text(text) = &phrase.written else {
            self.fault(phrase, "expected one text");
            return None;
        };
        self.fits(phrase, text).then_some(text)
    }

    /// Whether a text has nothing in it that cannot be shown.
    fn fits(&mut self, phrase: &Phrase, text: &str) -> bool {
        if text.trim().is_empty() {
            self.fault(phrase, "expected a text, got nothing");
            return false;
        }
        if let Some(c) = text.chars().find(|c| c.is_control()) {
            self.fault(phrase, &format!("expected no control character, got U+{:04X}", c as u32));
            return false;
        }
        if let Some(c) = undrawable(text) {
            let message = format!("the faces of the PDF cannot draw {c:?} (U+{:04X})", c as u32);
            self.fault(phrase, &message);
            return false;
        }
        true
    }

    fn bounded(&mut self, phrase: &Phrase, text: &str, most: usize) -> bool {
        let got = text.chars().count();
        if got > most {
            self.fault(phrase, &format!("expected at most {most} characters, got {got}"));
        }
        got <= most
    }

    /// The language's tag; English of Britain where it has none.
    pub(super) fn tag(&mut self) -> String {
        const KEY: &str = "language.tag";
        let Some(phrase) = self.take(KEY) else {
            if let (false, Some(first)) = (self.complete, self.own) {
                let message = format!("expected {KEY}, a tag such as \"cy-GB\"");
                self.faults.push(first.fault(message));
            } else {
                self.absent(KEY);
            }
            return "en-GB".to_owned();
        };
        match self.text(phrase) {
            Some(tag) if is_tag(tag) => tag.to_owned(),
            Some(_) => {
                self.fault(phrase, "expected a tag such as \"cy-GB\"");
                "en-GB".to_owned()
            }
            None => "en-GB".to_owned(),
        }
    }

    fn rule(&mut self) -> Rule {
        let Some(phrase) = self.take("language.plural") else {
            self.absent("language.plural");
            return Rule::One;
        };
        let Some(text) = self.text(phrase) else { return Rule::One };
        let known = Rule::ALL.iter().find(|(_, name)| *name == text);
        known.map(|(rule, _)| *rule).unwrap_or_else(|| {
            let names: Vec<&str> = Rule::ALL.iter().map(|(_, name)| *name).collect();
            self.fault(phrase, &format!("expected one of {}", names.join(", ")));
            Rule::One
        })
    }

    /// true or false; false where it is absent.
    pub(super) fn flag(&mut self, key: &str) -> bool {
        let Some(phrase) = self.take(key) else {
            self.absent(key);
            return false;
        };
        match phrase.written {
            Written::Flag(yes) => yes,
            _ => {
                self.fault(phrase, "expected true or false");
                false
            }
        }
    }

    /// A list of so many names.
    pub(super) fn list(
        &mut self,
        key: &str,
        length: usize,
        base: Option<&Vec<String>>,
    ) -> Vec<String> {
        let base = || base.cloned().unwrap_or_else(|| vec![String::new(); length]);
        let Some(phrase) = self.take(key) else {
            self.absent(key);
            return base();
        };
        let Written::List(names) = &phrase.written else {
            self.fault(phrase, &format!("expected a list of {length} texts"));
            return base();
        };
        if names.len() != length {
            let got = names.len();
            self.fault(phrase, &format!("expected a list of {length} texts, got {got}"));
            return base();
        }
        let sound = |reader: &mut Self, name: &String| {
            reader.fits(phrase, name) && reader.bounded(phrase, name, MAX_NAME)
        };
        if names.iter().all(|name| sound(self, name)) { names.clone() } else { base() }
    }

    /// A text each of whose holes must be there.
    pub(super) fn template(
        &mut self,
        key: &str,
        holes: &[&str],
        base: Option<&Template>,
    ) -> Template {
        let most = base.map(Template::len);
        let own = self.take(key).map(|phrase| self.read(phrase, holes, |_| true, most));
        self.or_base(key, own, base)
    }

    /// A text that may leave holes out.
    pub(super) fn loose(&mut self, key: &str, holes: &[&str], base: Option<&Template>) -> Template {
        let most = base.map(Template::len);
        let own = self.take(key).map(|phrase| self.read(phrase, holes, |_| false, most));
        self.or_base(key, own, base)
    }

    fn or_base(
        &mut self,
        key: &str,
        own: Option<Option<Template>>,
        base: Option<&Template>,
    ) -> Template {
        if own.is_none() {
            self.absent(key);
        }
        own.flatten().or_else(|| base.cloned()).unwrap_or_else(Template::empty)
    }

    fn read(
        &mut self,
        phrase: &'w Phrase,
        holes: &[&str],
        needed: impl Fn(usize) -> bool,
        english: Option<usize>,
    ) -> Option<Template> {
        let text = self.text(phrase)?;
        let told = |name: &str| format!("{{{name}}}");
        let template = match Template::read(text, holes, needed) {
            Ok(template) => template,
            Err(misfit) => {
                let names: Vec<String> = holes.iter().map(|hole| told(hole)).collect();
                let named = match names.as_slice() {
                    [] => "no name in braces".to_owned(),
                    names => names.join(", "),
                };
                let message = match misfit {
                    Misfit::Brace => "expected each { and } around a name".to_owned(),
                    Misfit::Unknown(name) => format!("expected {named}; got {}", told(&name)),
                    Misfit::Missing(hole) => {
                        let name = holes.get(hole).map(|name| told(name)).unwrap_or_default();
                        format!("expected {name} in it")
                    }
                };
                self.fault(phrase, &message);
                return None;
            }
        };
        let room = english.is_none_or(|english| self.roomy(phrase, template.len(), english));
        room.then_some(template)
    }

    fn roomy(&mut self, phrase: &Phrase, got: usize, english: usize) -> bool {
        let most = 3 * english + ROOM;
        if got > most {
            let message = format!("expected at most {most} characters of text, got {got}");
            self.fault(phrase, &message);
        }
        got <= most
    }

    /// A text that depends on its first hole, a number.
    pub(super) fn plural(&mut self, key: &str, holes: &[&str], base: Option<&Plural>) -> Plural {
        let most = base.map(Plural::len);
        let rest = |hole: usize| hole > 0;
        let single = self.take(key).map(|phrase| self.read(phrase, holes, rest, most));
        let mut forms = Vec::new();
        for (form, name) in Form::ALL {
            let Some(phrase) = self.take(&format!("{key}.{name}")) else { continue };
            // other stands for many numbers, so it must say which
            let needed = |hole: usize| hole > 0 || form == Form::Other;
            if let Some(text) = self.read(phrase, holes, needed, most) {
                forms.push((form, text));
            }
        }
        let other = match forms.iter().position(|(form, _)| *form == Form::Other) {
            Some(at) => Some(forms.remove(at).1),
            None => single.flatten(),
        };
        match (other, base) {
            (Some(other), _) => Plural { rule: self.rule, forms, other, group: self.group.clone() },
            (None, Some(base)) => {
                self.miss_other(key);
                Plural { group: self.group.clone(), ..base.clone() }
            }
            (None, None) => {
                self.absent(key);
                let other = Template::empty();
                Plural { rule: self.rule, forms, other, group: self.group.clone() }
            }
        }
    }

    /// Tells of forms of a text that has none for all other numbers.
    fn miss_other(&mut self, key: &str) {
        let of = |name: &str| self.phrases.get(format!("{key}.{name}").as_str()).copied();
        let written = Form::ALL.iter().find_map(|(_, name)| of(name));
        if let (Some(first), None) = (written, of("other")) {
            self.fault(first, "expected the form `other` beside it");
        }
    }

    /// The reasons by their words on the wire.
    pub(super) fn reasons(
        &mut self,
        base: Option<&BTreeMap<String, String>>,
    ) -> BTreeMap<String, String> {
        let mut reasons = base.cloned().unwrap_or_default();
        for reason in Reason::KNOWN {
            let key = format!("reason.{}", reason.label());
            let Some(phrase) = self.take(&key) else {
                self.absent(&key);
                continue;
            };
            let Some(text) = self.text(phrase) else { continue };
            if self.bounded(phrase, text, MAX_REASON) {
                reasons.insert(reason.label().to_owned(), text.to_owned());
            }
        }
        reasons
    }

    /// All that is wrong; keys that nobody asked for among it.
    pub(super) fn finish(mut self) -> Vec<Fault> {
        let unknown: Vec<&Phrase> =
            self.phrases.values().filter(|p| !self.taken.contains(&p.key)).copied().collect();
        for phrase in unknown {
            let near = nearest(&phrase.key, self.taken.iter().map(String::as_str));
            let advice = near.map(|near| format!("; the nearest is {near}")).unwrap_or_default();
            self.faults.push(phrase.fault(format!("unknown key {}{advice}", phrase.key)));
        }
        self.faults.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        self.faults
    }
}
