//! Handshakes with the lab, directly and over SMTP.
