// Parameters. The compiler writes this paragraph anew for each kernel; the rest of the file is the schedule.
!sums = memref<?x?x?xf32, strided<[?, ?, ?]>>
!list = memref<?x?x?xi32, strided<[?, ?, ?]>>
!count = memref<?x?xi32, strided<[?, ?]>>

// This program owns the sums of sequence %b and head %h, of which there are %n, and their list.
func.func @select_top(%b: index, %h: index, %n: index, %k: index, %sums: !sums, %list: !list, %count: !count) {
  tile.select %sums[%b, %h] to %n top %k into %list count %count : !sums into !list count !count
  return
}

// The same for a share of their total.
func.func @select_cover(%b: index, %h: index, %n: index, %a: f32, %sums: !sums, %list: !list, %count: !count) {
  tile.select %sums[%b, %h] to %n cover %a into %list count %count : !sums into !list count !count
  return
}
