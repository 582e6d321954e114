package burst

import (
	"fmt"
	"time"
)

// solver is who solves the challenges.
type solver string

const (
	ours    solver = "this program"
	builtIn solver = "built-in"
	floor   solver = "floor"
)

// mark is the solver's name in that of a scenario.
func (s solver) mark() string {
	return map[solver]string{ours: "ours", builtIn: "builtin", floor: "floor"}[s]
}

// scenario is one burst.
type scenario struct {
	solver solver
	// certificates are applied at once, or one by one after a first that nobody counts.
	certificates int
	oneByOne     bool
	// pairs have a name and its wildcard each, and so two challenges.
	pairs   bool
	zones   int
	workers int
	// settle is the program's --propagation-settle, wait the issuer's waitInsteadOfSelfCheck. The built-in
	// solver has neither: it is measured as cert-manager has it by default, with a check of cert-manager's own.
	settle, wait time.Duration
	// deadline is when the burst is given up.
	deadline time.Duration
}

const (
	defaultSettle = time.Second
	patience      = 15 * time.Minute
	// longPatience is for challenges that sleep for a minute each, two after one another, five at a time.
	longPatience = 25 * time.Minute
)

func burst(by solver, certificates, workers int) scenario {
	s := scenario{solver: by, certificates: certificates, workers: workers, zones: 1, settle: defaultSettle, deadline: patience}
	if certificates > 40 {
		s.zones = 3
	}
	return s
}

func pairs(by solver, certificates, workers int) scenario {
	s := burst(by, certificates, workers)
	s.pairs, s.deadline = true, longPatience
	return s
}

func oneByOne(by solver, certificates, workers int) scenario {
	s := burst(by, certificates, workers)
	s.oneByOne = true
	return s
}

// waiting lets cert-manager wait, which holds none of its workers, in place of the program.
func waiting(wait time.Duration, certificates, workers int) scenario {
	s := burst(ours, certificates, workers)
	s.settle, s.wait = 0, wait
	return s
}

// scenarios are all of `make bench-burst`, in the order of the table.
func scenarios() []scenario {
	all := []scenario{
		burst(floor, 1, 5), burst(ours, 1, 5), burst(builtIn, 1, 5),
		pairs(floor, 1, 5), pairs(ours, 1, 5), pairs(builtIn, 1, 5),
		oneByOne(floor, 10, 5), oneByOne(ours, 10, 5),
	}
	for _, workers := range []int{5, 20, 60} {
		all = append(all, burst(floor, 40, workers), burst(ours, 40, workers))
		if workers != 20 {
			all = append(all, burst(builtIn, 40, workers))
		}
	}
	for _, workers := range []int{5, 20, 60} {
		all = append(all, pairs(floor, 40, workers), pairs(ours, 40, workers))
		if workers != 20 {
			all = append(all, pairs(builtIn, 40, workers))
		}
	}
	for _, workers := range []int{5, 20, 60} {
		all = append(all, burst(floor, 200, workers), burst(ours, 200, workers))
		if workers != 20 {
			all = append(all, waiting(time.Second, 200, workers), waiting(2*time.Second, 200, workers))
		}
	}
	return append(all, burst(floor, 1000, 60), burst(ours, 1000, 5), burst(ours, 1000, 20), burst(ours, 1000, 60))
}

// key is the scenario's name, to choose it by: solver, Certificates, workers, and what is special.
func (s scenario) key() string {
	kind := ""
	switch {
	case s.pairs:
		kind = "pairs"
	case s.oneByOne:
		kind = "onebyone"
	}
	key := fmt.Sprintf("%s-%d%s-w%d", s.solver.mark(), s.certificates, kind, s.workers)
	if s.settle != defaultSettle {
		key += fmt.Sprintf("-settle%s-wait%s", s.settle, s.wait)
	}
	return key
}

// zoneNames are the zones that the names are spread over.
func (s scenario) zoneNames() []string {
	return []string{"burst-a.example", "burst-b.example", "burst-c.example"}[:s.zones]
}

// names are those of one Certificate. Run tells the scenarios of one process apart, for the ACME server.
func (s scenario) names(run, number int) []string {
	name := fmt.Sprintf("name-%04d-%d.%s", number, run, s.zoneNames()[number%s.zones])
	if s.pairs {
		return []string{name, "*." + name}
	}
	return []string{name}
}

// challenges is how many there are to solve.
func (s scenario) challenges() int {
	if s.pairs {
		return 2 * s.certificates
	}
	return s.certificates
}
