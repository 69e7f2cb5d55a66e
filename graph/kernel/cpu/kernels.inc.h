// Every kernel, for the instruction set that the including file has chosen: LANES floats to a vector, TILE_ROWS rows to
// a tile of the matrix product, and TABLE the name of the table.

#include "table.h"

#include "vec.inc.h"
#include "math.inc.h"
#include "wide.inc.h"
#include "elementwise.inc.h"
#include "move.inc.h"
#include "activation.inc.h"
#include "tile.inc.h"
#include "pack.inc.h"
#include "matmul.inc.h"
#include "bf16.inc.h"
#include "matmulbf16.inc.h"
#include "layernorm.inc.h"
#include "embed.inc.h"
#include "rotary.inc.h"
#include "softmax.inc.h"
#include "nodewise.inc.h"
#include "attention.inc.h"
#include "attentiongrad.inc.h"
#include "relative.inc.h"
#include "relativegrad.inc.h"
#include "crossentropy.inc.h"
#include "optimiser.inc.h"

#define ENTRY(result, name, arguments, ...) .name = name,
const struct graft_kernels TABLE = {GRAFT_KERNELS(ENTRY)};
