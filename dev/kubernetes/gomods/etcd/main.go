// etcd, built from its published server module: `go install module@version` refuses modules that have
// replacements of their own.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
