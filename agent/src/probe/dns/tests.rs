//! Answers as resolvers give them, and how records are compared.
