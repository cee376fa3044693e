//! What pages are dressed in: the style sheet, and the logo of a brand, each ready to be sent from
//! an address that changes with it. What they look like is the renderer's business.

use std::sync::{Arc, LazyLock};

use super::served::{self, FIXED, Served};
use super::{STYLE, asset_addresses};
use crate::brand::Brand;
use crate::render::brand::style;
use crate::render::page::Shell;

/// What pages are dressed in.
#[derive(Debug)]
pub struct Skin {
    pub(super) style: Served,
    pub(super) logo: Option<Served>,
    brand: Option<(Brand, String, Option<String>)>,
}

impl Skin {
    /// That of a service without a brand.
    #[must_use]
    pub fn plain() -> Arc<Self> {
        static PLAIN: LazyLock<Arc<Skin>> =
            LazyLock::new(|| Arc::new(Skin { style: sheet(STYLE), logo: None, brand: None }));
        Arc::clone(&PLAIN)
    }

    /// That of a brand.
    #[must_use]
    pub fn of(brand: Brand) -> Arc<Self> {
        let text = style(STYLE, &brand);
        let at_style = format!("/style.css?{}", served::digest(text.as_bytes()));
        let logo = brand.logo.as_ref().map(|logo| logo.file());
        let at_logo = logo.as_ref().map(|(_, bytes)| format!("/logo?{}", served::digest(bytes)));
        let logo = logo.map(|(kind, bytes)| Served::new(kind, bytes, FIXED));
        Arc::new(Self { style: sheet(&text), logo, brand: Some((brand, at_style, at_logo)) })
    }

    /// The frame of a service's pages.
    #[must_use]
    pub fn shell(&self, service: &str, zone: &str, demo: bool) -> Shell {
        let (style, script) = asset_addresses();
        let shell = Shell::new(service, zone, demo, style, script);
        match &self.brand {
            Some((brand, style, logo)) => shell.branded(brand, style.clone(), logo.clone()),
            None => shell,
        }
    }
}

fn sheet(text: &str) -> Served {
    Served::new("text/css; charset=utf-8", text.as_bytes().to_vec(), FIXED)
}
