package kernel

import "unsafe"

// Memory is the memory of a device that does not share the host's. Kernels that are a Memory too take operands that lie
// in it and no others: what a Tensor holds there are the device's addresses, which the host passes on and never reads.
//
// What is asked of such Kernels is done in its order, but may be done after the call returned. An error that comes up
// on the way (a launch that fails, memory that is gone) is kept, and the next Download or Sync returns it.
type Memory interface {
	// Alloc returns n elements of 4 bytes, of undefined values, at a multiple of 256 bytes. Its error says how much was
	// asked for and how much is free.
	Alloc(n int) ([]float32, error)
	// Free gives back what Alloc returned, once all that was asked for before is done.
	Free(x []float32)
	// Upload copies the elements of a tensor of the host to the device. The host may change them once it returns.
	Upload(to, from Tensor)
	// Download copies elements of the device to the host and returns once they are there.
	Download(to, from Tensor) error
	// Fetch asks for a copy of elements of the device to the host. What it returns waits until they are there, and not for
	// what is asked for after Fetch.
	Fetch(to, from Tensor) (wait func() error)
	// Sync waits until everything is done.
	Sync() error
	// Room is the memory that is free and the memory that there is, in bytes.
	Room() (free, total int, err error)
}

// Recorder is a Memory that can keep a sequence of kernels and start all of it at once.
type Recorder interface {
	Memory
	// Record takes down what f asks of the Kernels, without doing it. The operands' addresses, shapes and options are
	// part of the recording; their elements are not. f calls no method of Memory, and may be called more
	// than once.
	Record(f func()) (Recording, error)
}

// Recording is a sequence of kernels on fixed operands.
type Recording interface {
	// Replay asks for all of them, in their order.
	Replay()
	// Release gives back what the recording holds.
	Release()
}

// Int32s is float32 memory of a device as memory for as many int32.
func Int32s(x []float32) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}
