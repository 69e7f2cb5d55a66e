package importer

// EncoderOf recognises the encoder in a model that has no file.
var EncoderOf = encoderOf

// PaddedOf is the encoder in a model that has no file, taken node by node.
var PaddedOf = paddedOf
