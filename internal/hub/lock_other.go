//go:build !windows && (!unix || solaris || aix)

package hub

import "os"

// tryLock takes every lock, for there are none here: checksums tell if two processes wrote one file.
func tryLock(*os.File) (bool, error) { return true, nil }

func unlockFile(*os.File) {}
