package exec_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	G "gorgonia.org/gorgonia"

	"github.com/seed-aefebe89/graft/graph/exec"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/graph/kernel/kerneltest"
	"github.com/seed-aefebe89/graft/graph/kernel/portable"
)

// onHost are the values of nodes, wherever they lie.
func onHost(t testing.TB, e *exec.Exec, k kernel.Kernels, ns ...*G.Node) (out [][]float32) {
	t.Helper()
	for _, n := range ns {
		v, err := e.Value(n)
		if err != nil {
			t.Fatal(err)
		}
		x, err := exec.Host(k, v.F32)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, x)
	}
	return out
}

// A device gives the host's bits for batches of any size in any order. Each size is recorded once; a step is one
// upload and one start.
func TestADeviceGivesTheHostsBits(t *testing.T) {
	n := build(t)
	p, err := exec.NewPlan(n.roots()...)
	if err != nil {
		t.Fatal(err)
	}
	d := kerneltest.NewDevice(t, portable.New(), 1<<20)
	host, e := open(t, p, portable.New()), open(t, p, d)
	batches := [][]int32{{0, 5}, {0, 3, 4, 12}, {0, 1}, {0, 5}, {0, 3, 4, 12}}
	for i, c := range batches {
		v := n.values(int(c[len(c)-1]), c...)
		feed(t, host, v)
		feed(t, e, v)
		run(t, host)
		uploads := d.Uploads
		run(t, e)
		if d.Uploads != uploads+1 || d.Replays != i+1 {
			t.Errorf("%v: %d uploads, %d replays", c, d.Uploads-uploads, d.Replays)
		}
		if !equal(copyOf(t, host, n.roots()...), onHost(t, e, d, n.roots()...)) {
			t.Errorf("%v: other results on the device", c)
		}
	}
	if d.Recordings != 3 {
		t.Errorf("%d recordings of 3 sizes", d.Recordings)
	}
	e.Release()
	if free, total, _ := d.Room(); free != total {
		t.Errorf("%d of %d bytes are free in the end", free, total)
	}
}

// Recordings are bounded: the one that was not used for the longest time goes.
func TestRecordingsAreBounded(t *testing.T) {
	n := build(t)
	p, err := exec.NewPlan(n.out)
	if err != nil {
		t.Fatal(err)
	}
	d := kerneltest.NewDevice(t, portable.New(), 1<<20)
	e := open(t, p, d)
	var shapes [][]int32
	for m := 1; m <= 10; m++ {
		for empty := range 4 {
			shapes = append(shapes, append([]int32{0}, slices.Repeat([]int32{int32(m)}, empty+1)...))
		}
	}
	first := map[int][][]float32{}
	step := func(i int) {
		b := shapes[i]
		v := n.values(int(b[len(b)-1]), b...)
		maps.DeleteFunc(v, func(x *G.Node, _ kernel.Tensor) bool { return !p.Takes(x) })
		feed(t, e, v)
		run(t, e)
		got := onHost(t, e, d, n.out)
		if first[i] == nil {
			first[i] = got
		} else if !equal(first[i], got) {
			t.Errorf("%v: other results the second time", b)
		}
	}
	for i := range shapes { // 40, of which 32 stay
		step(i)
	}
	for i := len(shapes) - 32; i < len(shapes); i++ {
		step(i)
	}
	if d.Recordings != len(shapes) {
		t.Errorf("%d recordings, want one for each of %d shapes", d.Recordings, len(shapes))
	}
	step(0)
	if d.Recordings != len(shapes)+1 || d.Replays != len(shapes)+33 {
		t.Errorf("%d recordings, %d replays after a shape that was forgotten", d.Recordings, d.Replays)
	}
}

// What lies on the device already is taken as it is; a matrix for packed products alone needs no elements.
func TestPlacedMatricesNeedNoElements(t *testing.T) {
	n := build(t)
	p, err := exec.NewPlan(n.out)
	if err != nil {
		t.Fatal(err)
	}
	d := kerneltest.NewDevice(t, portable.New(), 1<<20)
	v := n.values(5, 0, 2, 5)
	want, e := open(t, p, portable.New()), open(t, p, d)
	for x, y := range v {
		switch {
		case !p.Takes(x):
		case !p.PackedOnly(x):
			for _, to := range []*exec.Exec{want, e} {
				if err := to.Feed(x, y); err != nil {
					t.Fatal(err)
				}
			}
		default:
			if x != n.w {
				t.Errorf("%v is read by packed products alone", x)
			}
			m, err := d.Alloc(len(y.F32))
			if err != nil {
				t.Fatal(err)
			}
			at := kernel.F32(m, y.Shape...)
			d.Upload(at, y)
			l := d.Pack(at, false, kernel.TensorFloat32, nil)
			d.Free(m)
			if err := e.Place(x, kernel.Tensor{Shape: y.Shape}); err == nil {
				t.Error("a matrix without elements or layouts is placed")
			}
			if err := e.Place(x, kernel.Tensor{Shape: y.Shape, Packed: &kernel.Packed{Plain: l, Trans: l}}); err != nil {
				t.Fatal(err)
			}
			if err := want.Feed(x, y); err != nil {
				t.Fatal(err)
			}
		}
	}
	run(t, want)
	run(t, e)
	if !equal(copyOf(t, want, n.out), onHost(t, e, d, n.out)) {
		t.Error("other results on the device")
	}
}

func TestTooSmallADeviceIsToldInNumbers(t *testing.T) {
	n := build(t)
	p, err := exec.NewPlan(n.roots()...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = p.New(kerneltest.NewDevice(t, portable.New(), 4096)); err == nil || !strings.Contains(err.Error(), "of 4096 are free") {
		t.Errorf("error %v", err)
	}
}

// A launch that fails is told by what waits for it.
func TestAFailingLaunchIsAnError(t *testing.T) {
	n := build(t)
	p, err := exec.NewPlan(n.roots()...)
	if err != nil {
		t.Fatal(err)
	}
	d := kerneltest.NewDevice(t, portable.New(), 1<<20)
	d.FailAt = 3
	e := open(t, p, d)
	feed(t, e, n.values(5, 0, 5))
	run(t, e)
	v, err := e.Value(n.loss)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.Host(d, v.F32); err == nil || !strings.Contains(err.Error(), "launch 3 failed") {
		t.Errorf("error %v", err)
	}
	if err := e.Run(exec.WithProfile(context.Background(), exec.NewProfile())); err == nil {
		t.Error("a profiled run on the failed device has no error")
	}
}

// A profile on a device tells the host's work.
func TestAProfileOnADevice(t *testing.T) {
	n := build(t)
	p, err := exec.NewPlan(n.roots()...)
	if err != nil {
		t.Fatal(err)
	}
	var got []exec.Usage
	for _, k := range []kernel.Kernels{portable.New(), kerneltest.NewDevice(t, portable.New(), 1<<20)} {
		e, prof := open(t, p, k), exec.NewProfile()
		feed(t, e, n.values(5, 0, 2, 5))
		if err := e.Run(exec.WithProfile(context.Background(), prof)); err != nil {
			t.Fatal(err)
		}
		var sum exec.Usage
		for _, u := range prof.Usages() {
			sum.Calls, sum.FLOP, sum.Bytes = sum.Calls+u.Calls, sum.FLOP+u.FLOP, sum.Bytes+u.Bytes
		}
		got = append(got, sum)
	}
	if got[0] != got[1] || got[0].FLOP == 0 {
		t.Errorf("host %+v, device %+v", got[0], got[1])
	}
}
