// Parameters. The compiler writes this paragraph anew for each kernel; the rest of the file is the schedule.
!view = !tile.view<128 x bf16>
!rows = tensor<16x128xbf16>             // rows of new entries: all heads of some of them

// This program owns rows %from and those that follow of the new entries, and writes them as rows %to and following of the
// cache. Both end with the same entry, so what does not exist of one does not exist of the other.
func.func @append(%from: index, %to: index, %new: !view, %cache: !view) {
  %rows = tile.load %new[%from] : !view -> !rows
  tile.store %rows, %cache[%to] : !rows, !view
  return
}
