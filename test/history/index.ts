// The one door of the history checker. A campaign needs `startRecording` alone.
export * from './check.ts'
export * from './collect.ts'
export * from './history.ts'
export * from './recording.ts'
