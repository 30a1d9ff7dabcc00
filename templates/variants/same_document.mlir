// A query sees the keys of its own document: document[b, i] is the document of entry i of row b. Queries and keys are
// the same entries.
func.func @same_document(%b: index, %h: index, %q: index, %kv: index, %document: tensor<?x?xi32>) -> i1 {
  %row = attn.row
  %column = attn.column
  %mine = tensor.extract %document[%b, %row] : tensor<?x?xi32>
  %theirs = tensor.extract %document[%b, %column] : tensor<?x?xi32>
  %visible = arith.cmpi eq, %mine, %theirs : i32
  return %visible : i1
}
