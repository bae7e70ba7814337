"""Look at what is there afterwards, without trusting anyone. The judge's eyes: never the reference's."""
