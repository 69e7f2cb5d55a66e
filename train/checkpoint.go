package train

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/seed-aefebe89/graft/graph"
	"github.com/seed-aefebe89/graft/graph/kernel"
	"github.com/seed-aefebe89/graft/internal/atomicfile"
	"github.com/seed-aefebe89/graft/internal/safetensors"
)

// state is where a run of fine-tuning stands, beside its tensors.
type state struct {
	Fingerprint string  `json:"fingerprint"` // of settings, parameters and data
	Trial       int     `json:"trial"`       // learning rates that are done
	Epoch       int     `json:"epoch"`       // epochs of this one that are done
	Step        int     `json:"step"`        // steps of this epoch that are done
	Loss        float64 `json:"loss"`        // their summed loss
	Steps       int     `json:"steps"`       // of all epochs
	Worse       int     `json:"worse"`       // epochs since this rate's best
	AdamSteps   int     `json:"adam_steps"`
	Trials      []Trial `json:"trials"`
	Best        Trial   `json:"best"`
}

// ErrInterrupted is wrapped by the error of a run that was stopped and saved its state.
var ErrInterrupted = errors.New("interrupted")

// due tells whether it is time to save between epochs.
func (f *FineTune) due() bool {
	every := f.Every
	if every == 0 {
		every = time.Minute
	}
	return f.Checkpoint != "" && time.Since(f.saved) >= every
}

// interrupted saves the state and says so.
func (f *FineTune) interrupted(cause error) error {
	if f.Checkpoint == "" {
		return fmt.Errorf("%w: %w", ErrInterrupted, cause)
	}
	if err := f.save(); err != nil {
		return err
	}
	return fmt.Errorf("%w: the state is in %s, the same command goes on from it: %w", ErrInterrupted, f.Checkpoint, cause)
}

// save writes the state; on an error the last state that was written is still there.
func (f *FineTune) save() error {
	if f.Checkpoint == "" {
		return nil
	}
	f.state.AdamSteps = f.opt.steps
	t, _, _, err := f.tensors()
	if err != nil {
		return err
	}
	err = SaveState(f.Checkpoint, f.state, t)
	f.saved = time.Now()
	return err
}

// tensors are the state's numbers by name: slices that saving reads and resuming fills, the optimiser's moments m and v
// among them.
func (f *FineTune) tensors() (t map[string][]float32, m, v [][]float32, err error) {
	if err = graph.Fetch(f.params); err != nil {
		return nil, nil, nil, err
	}
	if m, v, err = f.opt.Moments(); err != nil {
		return nil, nil, nil, err
	}
	t = map[string][]float32{}
	for i, p := range f.params {
		name := p.Group.String() + "." + p.Name
		t["now."+name], t["best."+name] = p.Data, f.best[i]
		t["m."+name], t["v."+name] = m[i], v[i]
	}
	return t, m, v, nil
}

// resume goes on from the checkpoint, if there is one.
func (f *FineTune) resume() error {
	f.state = state{Fingerprint: f.fingerprint()}
	if f.Checkpoint == "" {
		return nil
	}
	t, m, v, err := f.tensors()
	if err != nil {
		return err
	}
	var st state
	found, err := LoadState(f.Checkpoint, &st, t)
	if err != nil || !found {
		return err
	}
	if st.Fingerprint != f.state.Fingerprint {
		return fmt.Errorf("%s holds the state of a run with other settings, data or parameters: remove it to start anew", f.Checkpoint)
	}
	f.state = st
	f.opt.Resume(m, v, st.AdamSteps)
	for _, p := range f.params {
		p.Changed()
	}
	f.Progress.Printf("going on from %s: learning rate %d of %d, epoch %d, step %d", f.Checkpoint, min(st.Trial+1, len(f.LRs)), len(f.LRs), st.Epoch+1, st.Step)
	return nil
}

// fingerprint tells runs apart whose state must not be mixed.
func (f *FineTune) fingerprint() string {
	h := sha256.New()
	b, _ := json.Marshal(f.Settings) // plain numbers
	h.Write(b)
	HashParams(h, f.params)
	for _, xs := range [][]*Example{f.Train, f.Dev} {
		HashExamples(h, xs)
	}
	fmt.Fprintln(h, len(f.Kernels), f.Params.Precision, Where(f.Kernels))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Where is the name of the device that kernels compute on with memory of its own, empty for the host: results differ in
// rounding, so that a state is not taken from one to the other.
func Where(ks []kernel.Kernels) string {
	if onDevice(ks) {
		return ks[0].Name()
	}
	return ""
}

// HashParams writes what tells some parameters from others: names, shapes and values.
func HashParams(h io.Writer, ps []*graph.Param) {
	for _, p := range ps {
		fmt.Fprintln(h, p.Group, p.Name, p.Shape)
		binary.Write(h, binary.LittleEndian, p.Data)
	}
}

// HashExamples writes what a run sees of its examples.
func HashExamples(h io.Writer, xs []*Example) {
	for _, x := range xs {
		for _, v := range [][]int32{x.Seq.IDs, x.Seq.Types, x.Seq.Rows, x.Seq.Targets} {
			binary.Write(h, binary.LittleEndian, int32(len(v)))
			binary.Write(h, binary.LittleEndian, v)
		}
	}
}

// stateKey is the entry of the file's metadata that holds the state.
const stateKey = "graft.state"

// SaveState writes a state, as JSON, and named vectors to one file, whole or not at all.
func SaveState(path string, st any, tensors map[string][]float32) error {
	b, err := json.Marshal(st)
	if err != nil {
		return err
	}
	var ts []safetensors.Tensor
	for name, x := range tensors {
		ts = append(ts, safetensors.F32(name, x, len(x)))
	}
	err = atomicfile.Write(path, func(w io.Writer) error {
		return safetensors.Write(w, ts, map[string]string{stateKey: string(b)})
	})
	if err != nil {
		return fmt.Errorf("saving the state: %w", err)
	}
	return nil
}

// LoadState reads what SaveState wrote: into st, and into the vectors, which must be those of the file. found is false
// where there is no such file.
func LoadState(path string, st any, tensors map[string][]float32) (found bool, err error) {
	f, err := safetensors.Read(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal([]byte(f.Metadata[stateKey]), st); err != nil {
		return false, fmt.Errorf("%s holds no state: %w", path, err)
	}
	if len(f.Tensors) != len(tensors) {
		return false, fmt.Errorf("%s holds %d tensors, this run has %d: remove it to start anew", path, len(f.Tensors), len(tensors))
	}
	for name, x := range tensors {
		t, err := f.Get(name)
		if err != nil {
			return false, fmt.Errorf("%s: %w: it is the state of another run, remove it to start anew", path, err)
		}
		v, err := t.Float32s()
		if err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
		if len(v) != len(x) {
			return false, fmt.Errorf("%s: tensor %q has %d elements, want %d: it is the state of another run, remove it to start anew", path, name, len(v), len(x))
		}
		copy(x, v)
	}
	return true, nil
}
