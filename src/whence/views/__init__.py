"""In: an Explanation; out: what a person sees (terminal text, HTML, JSON)."""
