//! `POST /api/v1/evidence` as an axum route: headers and bytes in, a status and JSON out.

use axum::Router;

use crate::store::Store;

/// The route, to be merged into the reporter's router; it sets its own body limit.
pub fn router(store: Store) -> Router {
    unimplemented!()
}
