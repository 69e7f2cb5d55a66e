// The demo's model and corpus: a module of their own, so that installing graft does not download them.
module github.com/seed-aefebe89/graft/testdata/demo

go 1.26
