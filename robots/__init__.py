"""robots.txt by RFC 9309: parse, match, render. Standard library only, usable on its own."""
