"""How the word vectors of `toolweft.search` are made, and how they are judged."""
