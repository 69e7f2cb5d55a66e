package app

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// watchOthers starts to watch what the machine does beside this process and its children. The returned function tells
// which share of all processors' time that was since then. A measurement beside others
// is none: who waits for all threads at barriers, as OpenMP does, loses several times what they take.
func watchOthers() (share func() float64) {
	busy, all, ok := machineTime()
	own := ownTime()
	return func() float64 {
		b, a, still := machineTime()
		if !ok || !still || a <= all {
			return 0
		}
		return max(0, (b-busy-(ownTime()-own))/(a-all))
	}
}

// ticks are how many units of /proc/stat make a second (USER_HZ, 100 on every Linux that Go runs on).
const ticks = 100

// machineTime are the seconds that all processors were busy, stolen time included, and all that they had (Linux:
// /proc/stat).
func machineTime() (busy, all float64, ok bool) {
	f, err := os.Open("/proc/stat")
	if err != nil {
		return 0, 0, false
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	if !s.Scan() {
		return 0, 0, false
	}
	// cpu user nice system idle iowait irq softirq steal guest guest_nice: guests are in user and nice already.
	var v [8]float64
	var name string
	n, _ := fmt.Sscan(strings.TrimSpace(s.Text()), &name, &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7])
	if n != 9 || name != "cpu" {
		return 0, 0, false
	}
	for i, x := range v {
		all += x / ticks
		if i != 3 && i != 4 {
			busy += x / ticks
		}
	}
	return busy, all, true
}

// ownTime are the seconds of processor time that this process and its finished children took.
func ownTime() float64 {
	total := 0.0
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			total += time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
		}
	}
	return total
}
