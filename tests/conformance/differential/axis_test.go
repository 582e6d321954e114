package differential

import "slices"

// option is one value of an axis: what it does to a request, and how a case that has it is called.
type option struct {
	name  string
	apply func(*trial)
}

// axis is a property of a request with the values that it is tried with. The first one is the usual one.
type axis []option

// only is the axis cut down to some of its values.
func (a axis) only(names ...string) axis {
	var cut axis
	for _, name := range names {
		index := slices.IndexFunc(a, func(o option) bool { return o.name == name })
		cut = append(cut, a[index]) // an unknown name is a mistake of the matrix, and panics
	}
	return cut
}

// every is every so many of its values.
func (a axis) every(step int) axis {
	var cut axis
	for index := 0; index < len(a); index += step {
		cut = append(cut, a[index])
	}
	return cut
}

// trial is one case of the matrix.
type trial struct {
	request
	// names are those of its options.
	names []string
}

// build makes a case of one option of each axis.
func build(options ...option) *trial {
	t := &trial{request: request{protocol: http11}}
	for _, option := range options {
		option.apply(t)
		if option.name != "" {
			t.names = append(t.names, option.name)
		}
	}
	return t
}

// product is every combination.
func product(axes ...axis) []*trial {
	choices := [][]option{nil}
	for _, axis := range axes {
		var longer [][]option
		for _, choice := range choices {
			for _, option := range axis {
				longer = append(longer, append(slices.Clone(choice), option))
			}
		}
		choices = longer
	}
	var trials []*trial
	for _, choice := range choices {
		trials = append(trials, build(choice...))
	}
	return trials
}

// pairwise is as few combinations as a greedy search finds so that any two values of two axes meet.
func pairwise(axes ...axis) []*trial {
	open := newPairs(axes)
	var trials []*trial
	for {
		row, found := open.next()
		if !found {
			return trials
		}
		options := make([]option, len(axes))
		for number, axis := range axes {
			options[number] = axis[row[number]]
		}
		trials = append(trials, build(options...))
	}
}

// pairs are the pairs of values that have not met yet: of axis a with value i, and axis b with value j, a < b.
type pairs struct {
	sizes []int
	unmet map[[4]int]bool
	// order is that of unmet at the beginning, so that each run has the same cases.
	order [][4]int
}

func newPairs(axes []axis) *pairs {
	p := &pairs{unmet: map[[4]int]bool{}}
	for a, first := range axes {
		p.sizes = append(p.sizes, len(first))
		for b := a + 1; b < len(axes); b++ {
			for i := range first {
				for j := range axes[b] {
					p.order = append(p.order, [4]int{a, i, b, j})
				}
			}
		}
	}
	for _, pair := range p.order {
		p.unmet[pair] = true
	}
	return p
}

// next begins with the first pair that has not met, and gives each other axis the value that makes most new
// pairs with those already chosen.
func (p *pairs) next() ([]int, bool) {
	for len(p.order) > 0 && !p.unmet[p.order[0]] {
		p.order = p.order[1:]
	}
	if len(p.order) == 0 {
		return nil, false
	}
	row := slices.Repeat([]int{-1}, len(p.sizes))
	row[p.order[0][0]], row[p.order[0][2]] = p.order[0][1], p.order[0][3]
	for number, size := range p.sizes {
		if row[number] >= 0 {
			continue
		}
		best := -1
		for value := range size {
			if gain := p.gain(row, number, value); gain > best {
				best, row[number] = gain, value
			}
		}
	}
	p.meet(row)
	return row, true
}

func (p *pairs) gain(row []int, axis, value int) int {
	gain := 0
	for other, chosen := range row {
		if other != axis && chosen >= 0 && p.unmet[pair(axis, value, other, chosen)] {
			gain++
		}
	}
	return gain
}

func (p *pairs) meet(row []int) {
	for a := range row {
		for b := a + 1; b < len(row); b++ {
			delete(p.unmet, pair(a, row[a], b, row[b]))
		}
	}
}

func pair(a, i, b, j int) [4]int {
	if a > b {
		return [4]int{b, j, a, i}
	}
	return [4]int{a, i, b, j}
}
