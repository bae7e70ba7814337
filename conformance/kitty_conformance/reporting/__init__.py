"""What goes out: a run as JSON lines, and everything that is made of them.

The JSON lines are the report; JUnit, Markdown, the page and the badge are drawn from them and know nothing more.
Everything that the implementation said is shown by way of ``formats.visible``, and escaped for what it is put into.
"""
