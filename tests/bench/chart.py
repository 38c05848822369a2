"""A chart of ratios, as SVG: bars from nginx's line at 1, on a logarithmic scale, with the spread of the rounds."""
import dataclasses
import math
import statistics
from xml.sax.saxutils import escape

WIDTH, LABELS, RIGHT, TOP = 760, 190, 80, 64
BAR, GAP, HEADING = 16, 8, 26
COLORS = {"onetap": "#2563eb"}
OTHER_COLOR = "#94a3b8"
STEPS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200)


@dataclasses.dataclass(frozen=True)
class Bar:
    name: str
    ratios: list[float]


@dataclasses.dataclass(frozen=True)
class Group:
    title: str
    bars: list[Bar]


@dataclasses.dataclass(frozen=True)
class Scale:
    low: float
    high: float

    def x(self, ratio: float) -> float:
        share = math.log(ratio / self.low) / math.log(self.high / self.low)
        return round(LABELS + share * (WIDTH - LABELS - RIGHT), 1)


def scale_for(groups: list[Group]) -> Scale:
    ratios = [ratio for group in groups for bar in group.bars for ratio in bar.ratios]
    high = next((step for step in STEPS if step >= max(ratios + [2])), max(ratios + [2]))
    return Scale(min([0.5, *ratios]), high)


def text(x: float, y: float, words: str, attributes: str = "") -> str:
    return '<text x="%s" y="%s"%s>%s</text>' % (x, y, " " + attributes if attributes else "", escape(words))


def draw_grid(scale: Scale, bottom: float) -> list[str]:
    lines = []
    for step in STEPS:
        if not scale.low <= step <= scale.high:
            continue
        is_nginx = step == 1
        lines.append('<line x1="%s" x2="%s" y1="%d" y2="%d" class="%s"/>' % (
            scale.x(step), scale.x(step), TOP - 6, bottom, "one" if is_nginx else "grid"))
        lines.append(text(scale.x(step), TOP - 12, "nginx" if is_nginx else "%g×" % step, 'text-anchor="middle" class="tick"'))
    return lines


def draw_bar(bar: Bar, scale: Scale, y: float) -> list[str]:
    middle = statistics.median(bar.ratios)
    left, right = sorted((scale.x(1), scale.x(middle)))
    low, high = scale.x(min(bar.ratios)), scale.x(max(bar.ratios))
    center = y + BAR / 2
    drawn = [text(LABELS - 10, center + 4, bar.name, 'text-anchor="end"'),
             '<rect x="%s" y="%s" width="%s" height="%d" rx="2" fill="%s"/>' % (
                 left, y, round(max(right - left, 1), 1), BAR, COLORS.get(bar.name, OTHER_COLOR))]
    if low != high:
        drawn.append('<path d="M%s %sH%sM%s %sv6M%s %sv6" class="spread"/>' % (
            low, center, high, low, center - 3, high, center - 3))
    drawn.append(text(max(right, high) + 6, center + 4, "%.2g×" % middle if middle < 10 else "%.0f×" % middle, 'class="figure"'))
    return drawn


STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #1e293b } .title { font-size: 15px; font-weight: 600 }
.heading { font-weight: 600; paint-order: stroke; stroke: #fff; stroke-width: 5px }
.tick { font-size: 11px; fill: #475569 } .figure { font-weight: 600 }
.grid { stroke: #e2e8f0 } .one { stroke: #1e293b } .spread { stroke: #1e293b; fill: none }"""


def draw(groups: list[Group]) -> str:
    scale = scale_for(groups)
    body: list[str] = []
    y: float = TOP
    for group in groups:
        body.append(text(12, y + 14, group.title, 'class="heading"'))
        y += HEADING
        for bar in group.bars:
            body += draw_bar(bar, scale, y)
            y += BAR + GAP
        y += GAP
    title = "CPU an exchange costs, as a multiple of what nginx needs to pass the request on"
    return "\n".join([
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s">' % (WIDTH, y + 8, title),
        "<style>%s</style>" % STYLE, '<rect width="100%" height="100%" fill="#fff"/>',
        text(12, 24, title, 'class="title"'), *draw_grid(scale, y - GAP), *body, "</svg>", ""])
