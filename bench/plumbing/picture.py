# SPDX-License-Identifier: Apache-2.0
"""A bench as a picture: for each row two bars, ours and the peer's, the longer one as long as the page allows.
Plain SVG text; the same figures give the same bytes."""
from xml.sax.saxutils import escape

from plumbing.report import number

WIDTH, LABEL, BAR, HIGH = 860, 300, 400, 46
OURS, THEIRS = "#0b7285", "#adb5bd"


def picture(result):
    rows = [row for row in result.rows if row.ours.median is not None]
    height = 52 + HIGH * len(rows) + 14
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
           f'<text x="12" y="24" font-size="16" fill="#212529">{escape(result.title)}</text>',
           f'<rect x="{LABEL}" y="34" width="10" height="10" fill="{OURS}"/><text x="{LABEL + 16}" y="43" fill="#495057">berth</text>',
           f'<rect x="{LABEL + 66}" y="34" width="10" height="10" fill="{THEIRS}"/><text x="{LABEL + 82}" y="43" fill="#495057">'
           'peer; the thin line is least to most of the turns</text>']
    for i, row in enumerate(rows):
        top = 56 + HIGH * i
        sides = [(row.ours, OURS, "")] + ([(row.theirs, THEIRS, row.peer)] if row.theirs and row.theirs.median is not None else [])
        most = max(one.most for one, _, _ in sides) or 1
        sign = "more is better" if row.better == "more" else "less is better"
        out.append(f'<text x="12" y="{top + 14}" fill="#212529">{escape(row.what)}</text>')
        out.append(f'<text x="12" y="{top + 30}" fill="#868e96">{escape(row.unit)}; {sign}</text>')
        for j, (one, colour, name) in enumerate(sides):
            y = top + 4 + 18 * j
            scale = BAR / most
            out.append(f'<rect x="{LABEL}" y="{y}" width="{max(1, one.median * scale):.1f}" height="13" fill="{colour}"/>')
            out.append(f'<line x1="{LABEL + one.least * scale:.1f}" x2="{LABEL + one.most * scale:.1f}" y1="{y + 6.5}" y2="{y + 6.5}" stroke="#343a40"/>')
            ratio = f" · {number(row.ratio)} ×" if j == 0 and row.theirs is not None and row.ratio is not None else ""
            out.append(f'<text x="{LABEL + one.most * scale + 6:.1f}" y="{y + 11}" fill="#495057">{escape(f"{number(one.median)}{ratio} {name}".strip())}</text>')
    return "\n".join(out) + "\n</svg>\n"
