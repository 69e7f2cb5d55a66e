package importer

// EncoderOf recognises the encoder in a model that has no file.
var EncoderOf = encoderOf
