package app

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"time"
)

// watchMemory samples a process's private memory until the returned function is called, which gives the largest, in MB;
// 0 where the system does not tell.
func watchMemory(pid int) (stop func() float64) {
	done, result := make(chan struct{}), make(chan float64)
	go func() {
		most := privateMB(pid)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				most = max(most, privateMB(pid))
			case <-done:
				result <- max(most, privateMB(pid))
				return
			}
		}
	}()
	return func() float64 {
		close(done)
		return <-result
	}
}

// privateMB is a process's resident memory that no file backs (Linux: RssAnon).
func privateMB(pid int) float64 {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "RssAnon:"); ok {
			var kb float64
			fmt.Sscan(v, &kb)
			return kb / 1024
		}
	}
	return 0
}
