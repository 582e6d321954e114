package burst

import (
	"fmt"
	"math"
	"os"
	"strings"
)

// panel is one burst, with a line for each who solved it.
type panel struct {
	title string
	lines []line
}

// line is one scenario's Certificates over time. Class gives it colour and dashes.
type line struct {
	key, label, class string
}

func panels() []panel {
	return []panel{
		{"40 Certificates", []line{
			{burst(floor, 40, 5).key(), "floor, 5 workers", "floor"},
			{burst(ours, 40, 5).key(), "this program, 5 workers", "ours"},
			{burst(ours, 40, 60).key(), "this program, 60 workers", "ours many"},
			{burst(builtIn, 40, 5).key(), "built-in, 5 workers", "builtin"},
			{burst(builtIn, 40, 60).key(), "built-in, 60 workers", "builtin many"},
		}},
		{"40 Certificates of a name and its wildcard", []line{
			{pairs(floor, 40, 5).key(), "floor, 5 workers", "floor"},
			{pairs(ours, 40, 5).key(), "this program, 5 workers", "ours"},
			{pairs(ours, 40, 60).key(), "this program, 60 workers", "ours many"},
			{pairs(builtIn, 40, 5).key(), "built-in, 5 workers", "builtin"},
			{pairs(builtIn, 40, 60).key(), "built-in, 60 workers", "builtin many"},
		}},
		{"200 Certificates, 3 zones", []line{
			{burst(floor, 200, 60).key(), "floor, 60 workers", "floor"},
			{burst(ours, 200, 5).key(), "this program, 5 workers", "ours"},
			{burst(ours, 200, 20).key(), "this program, 20 workers", "ours some"},
			{burst(ours, 200, 60).key(), "this program, 60 workers", "ours many"},
		}},
		{"1,000 Certificates, 3 zones", []line{
			{burst(floor, 1000, 60).key(), "floor, 60 workers", "floor"},
			{burst(ours, 1000, 5).key(), "this program, 5 workers", "ours"},
			{burst(ours, 1000, 20).key(), "this program, 20 workers", "ours some"},
			{burst(ours, 1000, 60).key(), "this program, 60 workers", "ours many"},
		}},
	}
}

// Sizes, in the plot's own units. A panel is its axes with what is written around them.
const (
	panelWidth, panelHeight = 470, 380
	left, top               = 52, 34
	axisWidth, axisHeight   = 390, 190
	legendRow               = 18
)

// writePlot draws how many Certificates were Ready after which time, on an axis that is logarithmic: a minute's
// sleep and a second's wait are both to be seen. Panels of which nothing was measured are left out.
func writePlot(file string, figures []figure) error {
	known := make(map[string]figure)
	for _, f := range figures {
		known[f.Key] = f
	}
	var drawn []string
	for _, p := range panels() {
		if text := p.draw(known); text != "" {
			x, y := len(drawn)%2*panelWidth, len(drawn)/2*panelHeight
			drawn = append(drawn, fmt.Sprintf("<g transform=\"translate(%d %d)\">\n%s</g>\n", x, y, text))
		}
	}
	if len(drawn) == 0 {
		return nil
	}
	width, height := min(2, len(drawn))*panelWidth, (len(drawn)+1)/2*panelHeight
	text := fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\">\n"+
		"<title>Certificates Ready over time: this program, cert-manager's built-in solver, the floor</title>\n%s%s</svg>\n",
		width, height, width, height, style, strings.Join(drawn, ""))
	return os.WriteFile(file, []byte(text), 0o644)
}

// style is for light and for dark pages; the plot has no background of its own.
const style = `<style>
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 14px; font-weight: 600 }
.middle { text-anchor: middle } .end { text-anchor: end }
.grid { stroke: #8b949e; stroke-opacity: .3 } .axis { stroke: #8b949e }
.line { fill: none; stroke-width: 2 } .dot { stroke: none }
.floor { stroke: #8b949e; fill: #8b949e } .ours { stroke: #0969da; fill: #0969da } .builtin { stroke: #bc4c00; fill: #bc4c00 }
.some { stroke-dasharray: 8 3 } .many { stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .ours { stroke: #58a6ff; fill: #58a6ff } .builtin { stroke: #f0883e; fill: #f0883e }
}
.line { fill: none }
</style>
`

// scale places seconds and Certificates on the axes.
type scale struct{ from, to, most float64 }

func (s scale) x(seconds float64) float64 {
	share := math.Log(math.Max(seconds, s.from)/s.from) / math.Log(s.to/s.from)
	return left + share*axisWidth
}

func (s scale) y(count float64) float64 { return top + axisHeight - count/s.most*axisHeight }

func (p panel) draw(known map[string]figure) string {
	s := scale{from: 1}
	var lines []line
	for _, l := range p.lines {
		f, measured := known[l.key]
		if !measured {
			continue
		}
		lines = append(lines, l)
		s.most = math.Max(s.most, float64(f.certificates))
		s.to = math.Max(s.to, last(f))
	}
	if len(lines) == 0 {
		return ""
	}
	s.to = math.Max(10, s.to*1.15)
	var text strings.Builder
	fmt.Fprintf(&text, "<text class=\"title\" x=\"%d\" y=\"20\">%s</text>\n", left, p.title)
	s.axes(&text)
	for number, l := range lines {
		l.draw(&text, s, known[l.key])
		y := top + axisHeight + 58 + number*legendRow
		fmt.Fprintf(&text, "<path class=\"line %s\" d=\"M%d %dh28\"/><text x=\"%d\" y=\"%d\">%s: %s</text>\n",
			l.class, left, y-4, left+36, y, l.label, outcome(known[l.key]))
	}
	return text.String()
}

// axes draws both, with their ticks and units.
func (s scale) axes(text *strings.Builder) {
	bottom, right := top+axisHeight, left+axisWidth
	for quarter := range 5 {
		count := s.most * float64(quarter) / 4
		fmt.Fprintf(text, "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text class=\"end\" x=\"%d\" y=\"%.1f\">%g</text>\n",
			left, s.y(count), right, left-6, s.y(count)+4, count)
	}
	for power := 1.0; power <= s.to; power *= 10 {
		for _, tick := range []float64{1, 2, 5} {
			if seconds := tick * power; seconds <= s.to {
				fmt.Fprintf(text, "<path class=\"grid\" d=\"M%.1f %dV%d\"/><text class=\"middle\" x=\"%.1f\" y=\"%d\">%g</text>\n",
					s.x(seconds), top, bottom, s.x(seconds), bottom+16, seconds)
			}
		}
	}
	fmt.Fprintf(text, "<path class=\"axis\" fill=\"none\" d=\"M%d %dV%dH%d\"/>\n", left, top, bottom, right)
	fmt.Fprintf(text, "<text class=\"middle\" x=\"%d\" y=\"%d\">seconds since the first was applied (logarithmic)</text>\n", left+axisWidth/2, bottom+34)
	fmt.Fprintf(text, "<text class=\"middle\" transform=\"translate(14 %d) rotate(-90)\">Certificates Ready</text>\n", top+axisHeight/2)
}

// outcome is the end of a burst in words.
func outcome(f figure) string {
	end, complete := f.after(1)
	if !complete {
		return fmt.Sprintf("%d of %d Ready after %.0f s", len(f.Ready), f.certificates, end)
	}
	return fmt.Sprintf("all Ready after %.*f s", digits(end), end)
}

// digits after the point that mean something.
func digits(seconds float64) int {
	if seconds < 100 {
		return 1
	}
	return 0
}

// stepsMax is more than can be told apart.
const stepsMax = 150

// draw is a step for each Certificate, or for several. A burst that came to its end has a dot there; another goes
// on to its deadline.
func (l line) draw(text *strings.Builder, s scale, f figure) {
	fmt.Fprintf(text, "<path class=\"line %s\" d=\"M%.1f %.1f", l.class, s.x(s.from), s.y(0))
	every := 1 + len(f.Ready)/stepsMax
	for number, seconds := range f.Ready {
		if (number+1)%every == 0 || number+1 == len(f.Ready) {
			fmt.Fprintf(text, "H%.1fV%.1f", s.x(seconds), s.y(float64(number+1)))
		}
	}
	end, complete := f.after(1)
	fmt.Fprintf(text, "H%.1f\"/>\n", s.x(end))
	if complete {
		fmt.Fprintf(text, "<circle class=\"dot %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/>\n", l.class, s.x(end), s.y(s.most))
	}
}
