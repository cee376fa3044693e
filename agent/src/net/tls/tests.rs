//! Handshakes with servers whose certificates are wrong in one way each.
