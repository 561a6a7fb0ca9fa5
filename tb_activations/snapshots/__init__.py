"""Looking at the same samples again and again while a model trains: pictures and figures of how it sees them."""
