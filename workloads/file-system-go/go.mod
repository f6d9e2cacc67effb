module file-system

go 1.25
