using Hv.Cpu.Decode;

namespace Hv.Cpu.Execute;

internal static class ShiftBinder { internal static nint Bind(in Op op, BindContext context) => 0; }
internal static class MultiplyBinder { internal static nint Bind(in Op op, BindContext context) => 0; }
internal static class BitBinder { internal static nint Bind(in Op op, BindContext context) => 0; }
internal static class RestBinder { internal static nint Bind(in Op op, BindContext context) => 0; }
