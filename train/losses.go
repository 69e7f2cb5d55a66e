package train

import "github.com/seed-aefebe89/graft/graph/kernel"

// losses waits for the losses of steps in their order. Late, it waits for each when the next step has been asked for, so that
// a device is never idle because of it.
type losses struct {
	late bool
	wait func() (float64, error)
}

// next takes what waits for a step's loss, and returns the losses that are known by it: this one, or where it is late the
// one before.
func (l *losses) next(wait func() (float64, error)) (float64, error) {
	known, err := l.rest()
	l.wait = wait
	if err != nil || l.late {
		return known, err
	}
	return l.rest()
}

// rest waits for the loss that is not known yet, if there is one.
func (l *losses) rest() (float64, error) {
	if l.wait == nil {
		return 0, nil
	}
	wait := l.wait
	l.wait = nil
	return wait()
}

// open is the number of losses that are not known yet.
func (l *losses) open() int {
	if l.wait == nil {
		return 0
	}
	return 1
}

// onDevice tells whether kernels compute in memory of their own, while the host goes on.
func onDevice(ks []kernel.Kernels) bool {
	_, ok := ks[0].(kernel.Memory)
	return ok
}
