namespace Toolkit.Native;

/// <summary>libtorch cannot be used in this process; the message says what is missing and how to get it.</summary>
public sealed class LibTorchException(string message, Exception? inner = null) : Exception(message, inner);
