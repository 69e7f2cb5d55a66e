package onnx

// DeviceConfiguration is a DeviceConfigurationProto: a set of devices that nodes may be distributed over.
type DeviceConfiguration struct {
	Name       string
	NumDevices int32
	Devices    []string
	Wire
}

func (d *DeviceConfiguration) fields(c *codec) {
	text(c, 1, &d.Name)
	varint(c, 2, &d.NumDevices)
	texts(c, 3, &d.Devices)
}

// NodeDeviceConfiguration is a NodeDeviceConfigurationProto: how a node is distributed over one configuration.
type NodeDeviceConfiguration struct {
	ConfigurationID string
	Sharding        []*ShardingSpec
	PipelineStage   int32
	Wire
}

func (d *NodeDeviceConfiguration) fields(c *codec) {
	text(c, 1, &d.ConfigurationID)
	list(c, 2, "sharding_spec", &d.Sharding)
	varint(c, 3, &d.PipelineStage)
}

// ShardingSpec is a ShardingSpecProto: how one tensor of a node is split.
type ShardingSpec struct {
	TensorName   string
	Devices      []int64
	DeviceGroups []*DeviceGroup
	ShardedDims  []*ShardedDim
	Wire
}

func (s *ShardingSpec) fields(c *codec) {
	text(c, 1, &s.TensorName)
	ints(c, 2, &s.Devices)
	list(c, 3, "index_to_device_group_map", &s.DeviceGroups)
	list(c, 4, "sharded_dim", &s.ShardedDims)
}

// DeviceGroup is an IntIntListEntryProto: the devices that an index of ShardingSpec.Devices stands for.
type DeviceGroup struct {
	Index   int64
	Devices []int64
	Wire
}

func (g *DeviceGroup) fields(c *codec) {
	varint(c, 1, &g.Index)
	ints(c, 2, &g.Devices)
}

// ShardedDim is a ShardedDimProto: how one axis of a tensor is split.
type ShardedDim struct {
	Axis   int64
	Simple []*SimpleShardedDim
	Wire
}

func (s *ShardedDim) fields(c *codec) {
	varint(c, 1, &s.Axis)
	list(c, 2, "simple_sharding", &s.Simple)
}

// SimpleShardedDim is a SimpleShardedDimProto: a size, fixed or symbolic, split into equal shards.
type SimpleShardedDim struct {
	Value     int64 // where Known is set, else Param names the size
	Known     bool
	Param     string
	NumShards int64
	Wire
}

func (s *SimpleShardedDim) fields(c *codec) {
	size(c, &s.Value, &s.Known, &s.Param)
	varint(c, 3, &s.NumShards)
}
