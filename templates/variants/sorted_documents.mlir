// A query sees the keys of its own document, where documents lie one behind the other: document[b, i], which does not
// fall along i, is the document of entry i of row b. Queries and keys are the same entries.
func.func @sorted_documents(%b: index, %h: index, %q: index, %kv: index, %document: tensor<?x?xi32>) -> i1 {
  %row = attn.row
  %column = attn.column
  %mine = tensor.extract %document[%b, %row] {attn.sorted} : tensor<?x?xi32>
  %theirs = tensor.extract %document[%b, %column] {attn.sorted} : tensor<?x?xi32>
  %visible = arith.cmpi eq, %mine, %theirs : i32
  return %visible : i1
}
